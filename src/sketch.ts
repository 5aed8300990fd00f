/*
 * The symbols of a rateless invertible Bloom lookup table ("Practical Rateless Set Reconciliation",
 * Yang, Gilad, Alizadeh, SIGCOMM 2024): a set of keys as an endless series of cells, of which any
 * beginning can be computed. Symbol i holds the sum of about 2 / (i + 2) of all keys. Who subtracts
 * the symbols of his own set from those of another gets the symbols of the difference, and reads it
 * out of about 1.4 of them for each key in it (`protocol/diff/riblt.ts`).
 *
 * A key is 16 bytes of a SHA-256. Which cells it is in, and the checksum that tells a lone key from
 * a sum, come from its HalfSipHash-2-4 (Aumasson, Bernstein) under the sketch's salt: who does not
 * know the salt cannot make keys that fall together.
 */

/** The bytes of a key. */
export const KEY_BYTES = 16;

/** The bytes of a salt; no salt counts as zeros. */
export const SALT_BYTES = 8;

/** How many symbols a replica keeps: enough to read some 700 differences without a pass over it. */
export const KEPT_SYMBOLS = 1024;

/** 32-bit words of a cell: four of the sum, one of the checksum. */
export const CELL_WORDS = 5;

/** The symbols `first` to `end - 1` of a set that keys are added to. */
export class Sketch {
  readonly first: number;
  readonly end: number;
  /** `CELL_WORDS` a cell. */
  readonly words: Uint32Array;
  /** How many keys each cell sums up. */
  readonly counts: Int32Array;
  readonly #hash: KeyHash;
  #size = 0;

  constructor(first: number, end: number, salt: Uint8Array = new Uint8Array(0)) {
    this.first = first;
    this.end = end;
    this.words = new Uint32Array((end - first) * CELL_WORDS);
    this.counts = new Int32Array(end - first);
    this.#hash = new KeyHash(salt);
  }

  /** The first symbols of `size` keys, as another sketch has them. */
  static of({ words, counts, size }: Pick<Sketch, 'words' | 'counts' | 'size'>): Sketch {
    const sketch = new Sketch(0, counts.length);
    sketch.words.set(words);
    sketch.counts.set(counts);
    sketch.#size = size;
    return sketch;
  }

  /** How many keys were added. */
  get size(): number {
    return this.#size;
  }

  /** Adds the key that begins at `at`; adding one twice spoils the sketch. */
  add(bytes: Uint8Array, at = 0): void {
    this.#size++;
    const a = wordAt(bytes, at);
    const b = wordAt(bytes, at + 4);
    const c = wordAt(bytes, at + 8);
    const d = wordAt(bytes, at + 12);
    const { words, counts, first, end } = this;
    const place = this.#hash.place(a, b, c, d);
    const { check } = place;
    for (; place.index < end; place.next()) {
      const cell = place.index - first;
      if (cell < 0) continue;
      const word = cell * CELL_WORDS;
      words[word]! ^= a;
      words[word + 1]! ^= b;
      words[word + 2]! ^= c;
      words[word + 3]! ^= d;
      words[word + 4]! ^= check;
      counts[cell]!++;
    }
  }

  /** The same symbols once more, which do not change with these. */
  copy(): Sketch {
    const copy = new Sketch(this.first, this.end);
    copy.words.set(this.words);
    copy.counts.set(this.counts);
    copy.#size = this.#size;
    return copy;
  }
}

/** How many of `size` keys symbol `index` sums up, on average. */
export function expectedCount(index: number, size: number): number {
  return Math.round((2 * size) / (index + 2));
}

/** The hash of keys under one salt. */
export class KeyHash {
  readonly #key0: number;
  readonly #key1: number;
  readonly #place = new Place();

  constructor(salt: Uint8Array) {
    this.#key0 = salt.length === 0 ? 0 : wordAt(salt, 0);
    this.#key1 = salt.length === 0 ? 0 : wordAt(salt, 4);
  }

  /** Where the key of these four words has its cells; valid until the next call. */
  place(a: number, b: number, c: number, d: number): Place {
    let v0 = this.#key0;
    let v1 = this.#key1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#key0;
    let v3 = 0x74656462 ^ this.#key1;
    let high = 0;
    // Four words of the key, the word of its length, then two halves of the result.
    for (let step = 0; step < 7; step++) {
      const isWord = step < 5;
      const m = step === 0 ? a : step === 1 ? b : step === 2 ? c : step === 3 ? d : LENGTH_WORD;
      if (isWord) v3 ^= m;
      else if (step === 5) v2 ^= 0xee;
      else v1 ^= 0xdd;
      for (let round = isWord ? 2 : 4; round > 0; round--) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      if (isWord) v0 ^= m;
      else if (step === 5) high = v1 ^ v3;
    }
    this.#place.begin(high, v1 ^ v3);
    return this.#place;
  }
}

/** One key's way through the cells: first cell 0, then ever larger steps. */
export class Place {
  index = 0;
  check = 0;
  #s0 = 0;
  #s1 = 0;

  /** @param high @param low the halves of the key's hash */
  begin(high: number, low: number): void {
    this.index = 0;
    this.check = high >>> 0;
    this.#s0 = high;
    // The generator stands still at zero.
    this.#s1 = (high | low) === 0 ? 1 : low;
  }

  copy(): Place {
    const copy = new Place();
    copy.index = this.index;
    copy.check = this.check;
    copy.#s0 = this.#s0;
    copy.#s1 = this.#s1;
    return copy;
  }

  /** Moves to the next cell: a draw of xoroshiro64* decides how far it is. */
  next(): void {
    const s0 = this.#s0;
    const draw = Math.imul(s0, 0x9e3779bb) >>> 0;
    const s1 = this.#s1 ^ s0;
    this.#s0 = ((s0 << 26) | (s0 >>> 6)) ^ s1 ^ (s1 << 9);
    this.#s1 = (s1 << 13) | (s1 >>> 19);
    this.index += Math.ceil((this.index + 1.5) * (65536 / Math.sqrt(draw + 0.5) - 1));
  }
}

// --- helpers ---

const LENGTH_WORD = KEY_BYTES << 24;

export function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}
