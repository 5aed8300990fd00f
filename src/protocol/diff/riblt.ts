import { readVarint, varintLength, writeVarint } from '../../car/varint.ts';
import {
  CELL_WORDS,
  expectedCount,
  KEY_BYTES,
  KeyHash,
  type Place,
  type Sketch,
  wordAt,
} from '../../sketch.ts';
import { malformed } from '../violations.ts';

/*
 * Reading the difference of two sets out of their symbols (`sketch.ts`), what symbols look like on
 * the wire, and how many of them a difference takes.
 */

/** Sum and checksum of a symbol on the wire; its count follows, mostly in one byte. */
const CELL_BYTES = CELL_WORDS * 4;

/** What a symbol takes on the wire, in bytes, on average: for choosing the cheaper way only. */
export const SYMBOL_BYTES = 21.5;

/** The counts that tell how large a difference is: those of symbols 4 to 67. */
const ESTIMATE_FIRST = 4;
const ESTIMATE_END = 68;

/** Symbols as they came from the other side. */
export interface Symbols {
  readonly words: Uint32Array;
  readonly counts: Int32Array;
}

/**
 * The symbols `from` to `end - 1` as bytes: 20 of sum and checksum, then a varint of how far the count
 * is from its expectation.
 */
export function encodeSymbols(sketch: Sketch, from: number, end: number): Uint8Array {
  const bytes = new Uint8Array((end - from) * (CELL_BYTES + MAX_COUNT_BYTES));
  let at = 0;
  for (let index = from; index < end; index++) {
    const cell = index - sketch.first;
    for (let word = cell * CELL_WORDS; word < (cell + 1) * CELL_WORDS; word++) {
      const value = sketch.words[word]!;
      bytes[at++] = value;
      bytes[at++] = value >>> 8;
      bytes[at++] = value >>> 16;
      bytes[at++] = value >>> 24;
    }
    at = writeCount(bytes, at, sketch.counts[cell]!, index, sketch.size);
  }
  return bytes.slice(0, at);
}

/**
 * Symbols from number `first` on of a set of `size` keys.
 * @throws ProtocolError `malformed-frame`
 */
export function decodeSymbols(bytes: Uint8Array, first: number, size: number): Symbols {
  const most = Math.floor(bytes.length / (CELL_BYTES + 1));
  const words = new Uint32Array(most * CELL_WORDS);
  const counts = new Int32Array(most);
  let cell = 0;
  for (let at = 0; at < bytes.length; cell++) {
    if (at + CELL_BYTES >= bytes.length) throw malformed('a symbol that is cut off');
    for (let word = cell * CELL_WORDS; word < (cell + 1) * CELL_WORDS; word++, at += 4) {
      words[word] = wordAt(bytes, at);
    }
    const coded = readCount(bytes, at);
    counts[cell] = countOf(coded, first + cell, size);
    at += varintLength(coded);
  }
  return { words: words.subarray(0, cell * CELL_WORDS), counts: counts.subarray(0, cell) };
}

/** The counts that tell the size of a difference, as bytes; they belong to a set of `sketch.size`. */
export function encodeCounts(sketch: Sketch): Uint8Array {
  const bytes = new Uint8Array((ESTIMATE_END - ESTIMATE_FIRST) * MAX_COUNT_BYTES);
  let at = 0;
  for (let index = ESTIMATE_FIRST; index < ESTIMATE_END; index++) {
    at = writeCount(bytes, at, sketch.counts[index]!, index, sketch.size);
  }
  return bytes.slice(0, at);
}

/** @throws ProtocolError `malformed-frame` unless these are all the counts, or none */
export function decodeCounts(bytes: Uint8Array, size: number): number[] {
  const counts: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const coded = readCount(bytes, at);
    counts.push(countOf(coded, ESTIMATE_FIRST + counts.length, size));
    at += varintLength(coded);
  }
  if (counts.length !== 0 && counts.length !== ESTIMATE_END - ESTIMATE_FIRST) {
    throw malformed('not as many counts as there must be');
  }
  return counts;
}

/**
 * How many keys are in one of two sets only, about: each count is a sample of the difference, in
 * which keys of one side count up and those of the other count down. The standard deviation is 18%.
 * @param theirs the other side's counts (`decodeCounts`), of a set of `theirSize`
 */
export function estimateDifference(
  ours: Sketch,
  theirs: readonly number[],
  theirSize: number,
): number {
  const surplus = theirSize - ours.size;
  let sum = 0;
  for (const [i, count] of theirs.entries()) {
    const chance = 2 / (ESTIMATE_FIRST + i + 2);
    const deviation = count - ours.counts[ESTIMATE_FIRST + i]! - chance * surplus;
    sum += (deviation * deviation) / (chance * (1 - chance));
  }
  return Math.max(1, Math.abs(surplus), Math.round(sum / theirs.length));
}

/** How many symbols let nine of ten differences of this estimated size be read. */
export function symbolsFor(estimate: number): number {
  return Math.ceil(1.35 * estimate + 0.25 * estimate + 2.5 * Math.sqrt(estimate) + 6);
}

/** How far a difference is read: to its end, not yet, or never, as the symbols contradict each other. */
export type Reading = 'complete' | 'open' | 'contradictory';

interface Found {
  /** 1 for a key of theirs, -1 for one of ours. */
  readonly sign: number;
  readonly words: Uint32Array;
  readonly check: number;
  readonly place: Place;
}

/** Reads the keys that only one of two sets has, out of their symbols from the first one on. */
export class Decoder {
  readonly #hash: KeyHash;
  #words = new Uint32Array(0);
  #counts = new Int32Array(0);
  #length = 0;
  #found: Found[] = [];

  constructor(salt: Uint8Array) {
    this.#hash = new KeyHash(salt);
  }

  /** How many symbols were pushed. */
  get length(): number {
    return this.#length;
  }

  /** The keys that only they have, and those that only we have, one after the other. */
  get theirs(): Uint8Array {
    return keysOf(this.#found.filter(({ sign }) => sign > 0));
  }

  get ours(): Uint8Array {
    return keysOf(this.#found.filter(({ sign }) => sign < 0));
  }

  /** How many keys are found. */
  get found(): number {
    return this.#found.length;
  }

  /** Takes the next symbols of theirs; `sketch` has the same ones of ours. */
  push(theirs: Symbols, sketch: Sketch): Reading {
    const from = this.#length;
    const length = from + theirs.counts.length;
    this.#grow(length);
    for (let index = from; index < length; index++) {
      const [mine, yours] = [(index - sketch.first) * CELL_WORDS, (index - from) * CELL_WORDS];
      for (let i = 0; i < CELL_WORDS; i++) {
        this.#words[index * CELL_WORDS + i] = theirs.words[yours + i]! ^ sketch.words[mine + i]!;
      }
      this.#counts[index] = theirs.counts[index - from]! - sketch.counts[index - sketch.first]!;
    }
    this.#length = length;
    const open: number[] = [];
    for (const found of this.#found) this.#take(found, open);
    for (let index = from; index < length; index++) open.push(index);
    if (!this.#peel(open)) return 'contradictory';
    // Symbol 0 is the sum of all: it is empty when nothing is left.
    return this.#isEmpty(0) ? 'complete' : 'open';
  }

  /** Takes lone keys out, of which others become lone; false when there are more than can be. */
  #peel(open: number[]): boolean {
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const sign = this.#counts[index]!;
      if (sign !== 1 && sign !== -1) continue;
      const at = index * CELL_WORDS;
      const words = this.#words.slice(at, at + CELL_WORDS - 1);
      const place = this.#hash.place(words[0]!, words[1]!, words[2]!, words[3]!);
      if (place.check !== this.#words[at + CELL_WORDS - 1]!) continue;
      const found = { sign, words, check: place.check, place: place.copy() };
      // A sum that looks like a key would hardly lie where that key belongs.
      while (place.index < index) place.next();
      if (place.index !== index) continue;
      // Forged symbols can give the same keys to and fro without an end.
      if (this.#found.length === this.#length) return false;
      this.#found.push(found);
      this.#take(found, open);
    }
    return true;
  }

  /** Subtracts a key from all the cells it is in, as far as there are any, and notes which. */
  #take({ sign, words, check, place }: Found, open: number[]): void {
    for (; place.index < this.#length; place.next()) {
      const at = place.index * CELL_WORDS;
      for (let i = 0; i < CELL_WORDS - 1; i++) this.#words[at + i]! ^= words[i]!;
      this.#words[at + CELL_WORDS - 1]! ^= check;
      this.#counts[place.index]! -= sign;
      open.push(place.index);
    }
  }

  #isEmpty(index: number): boolean {
    if (this.#counts[index] !== 0) return false;
    const at = index * CELL_WORDS;
    return this.#words.subarray(at, at + CELL_WORDS).every((word) => word === 0);
  }

  #grow(length: number): void {
    if (length <= this.#counts.length) return;
    const capacity = Math.max(length, this.#counts.length * 2);
    const [words, counts] = [this.#words, this.#counts];
    this.#words = new Uint32Array(capacity * CELL_WORDS);
    this.#words.set(words);
    this.#counts = new Int32Array(capacity);
    this.#counts.set(counts);
  }
}

// --- helpers ---

/** A count is 32 bits at most, and so is what it differs by from what was expected. */
const MAX_COUNT_BYTES = 5;
const MAX_COUNT = 2 ** 31 - 1;

function writeCount(
  bytes: Uint8Array,
  at: number,
  count: number,
  index: number,
  size: number,
): number {
  const surplus = count - expectedCount(index, size);
  return writeVarint(bytes, at, surplus < 0 ? -2 * surplus - 1 : 2 * surplus);
}

function readCount(bytes: Uint8Array, at: number): number {
  const coded = readVarint(bytes, at, bytes.length);
  if (coded < 0 || coded > 2 * MAX_COUNT) throw malformed('a count that is none');
  return coded;
}

function countOf(coded: number, index: number, size: number): number {
  const surplus = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
  return surplus + expectedCount(index, size);
}

function keysOf(found: readonly Found[]): Uint8Array {
  const bytes = new Uint8Array(found.length * KEY_BYTES);
  const view = new DataView(bytes.buffer);
  found.forEach(({ words }, key) =>
    words.forEach((word, i) => view.setUint32(key * KEY_BYTES + i * 4, word, true)),
  );
  return bytes;
}
