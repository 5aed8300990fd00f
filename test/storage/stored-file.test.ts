import { expect, it } from 'vitest';
import { concatBytes } from '../../src/bytes.ts';
import { RECORD_BYTES, StoredFile } from '../../src/storage/stored-file.ts';
import { newSeed, randomBytes, seeded, type Random } from './support.ts';

/** The records of one file, as a database keeps them. */
class Records {
  readonly #records = new Map<number, Uint8Array>();
  file: StoredFile = StoredFile.empty();
  bytesWritten = 0;

  append(bytes: Uint8Array): void {
    const { change, file } = this.file.appended(bytes);
    const { from = Infinity, put } = change;
    for (const start of this.#records.keys()) if (start >= from) this.#records.delete(start);
    for (const [start, value] of put) {
      this.#records.set(start, value);
      this.bytesWritten += value.length;
    }
    this.file = file;
  }

  /** The file as it is found when it is opened. */
  reopened(): StoredFile {
    const { starts } = this;
    const from = StoredFile.loadFrom(starts);
    const values = starts.filter((start) => start >= from).map((it) => this.#records.get(it)!);
    return StoredFile.load(starts, values);
  }

  get starts(): number[] {
    return [...this.#records.keys()].sort((a, b) => a - b);
  }

  whole(): Uint8Array {
    let end = 0;
    const parts = this.starts.map((start) => {
      expect(start, 'no gap and no overlap').toBe(end);
      end += this.#records.get(start)!.length;
      return this.#records.get(start)!;
    });
    return concatBytes(parts);
  }
}

function recentOf(file: StoredFile): Uint8Array {
  const bytes = new Uint8Array(file.size - file.recentStart);
  file.copyRecent(bytes, file.recentStart);
  return bytes;
}

const sizes: ((random: Random) => number)[] = [
  (random) => random(300),
  (random) => random(6000),
  (random) => random(100_000),
  (random) => [0, 1, 300, RECORD_BYTES - 1, RECORD_BYTES, RECORD_BYTES + 1][random(6)]!,
];

it.each(sizes.map((size, i) => [i, size] as const))(
  'records hold what was appended, also to a file that was opened anew (%d)',
  (_, size) => {
    const seed = newSeed();
    const random = seeded(seed);
    const records = new Records();
    const appended: Uint8Array[] = [];
    for (let n = 0; n < 150; n++) {
      const bytes = randomBytes(random, size(random));
      records.append(bytes);
      appended.push(bytes);
      if (random(20) === 0) records.file = records.reopened();
      const { file } = records;
      expect(file.starts, `seed ${seed}`).toEqual(records.starts);
      const at = random(file.size + 1);
      const inside = records.starts.filter((start) => start <= at).length - 1;
      expect(file.recordAt(at), `seed ${seed}`).toBe(inside);
    }
    const whole = concatBytes(appended);
    expect(Buffer.compare(records.whole(), whole), `seed ${seed}`).toBe(0);
    for (const file of [records.file, records.reopened()]) {
      expect(file.size).toBe(whole.length);
      expect(Buffer.compare(recentOf(file), whole.subarray(file.recentStart))).toBe(0);
    }
  },
);

it('many small writes become few records, and few bytes are written for each', () => {
  const records = new Records();
  for (let n = 0; n < 10_000; n++) records.append(new Uint8Array(300).fill(n));
  const { size } = records.file;
  expect(size).toBe(3_000_000);
  expect(records.starts.length).toBeLessThan(size / RECORD_BYTES + 20);
  expect(records.bytesWritten / size).toBeLessThan(10);
});

it('a file that is opened for each small write has few records all the same', () => {
  const records = new Records();
  for (let n = 0; n < 2000; n++) {
    records.file = records.reopened();
    records.append(new Uint8Array(300).fill(n));
  }
  expect(records.starts.length).toBeLessThan((2000 * 300) / RECORD_BYTES + 20);
});
