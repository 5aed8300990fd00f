import { concatBytes } from '../bytes.ts';

/**
 * Bytes in a full record. Just under 64 KiB, from which on Chromium puts each value into a file of its
 * own: small enough that a block is read cheaply, large enough that a file is few records.
 */
export const RECORD_BYTES: number = 60 * 1024;

/** The last record grows to this many bytes by being written anew; beyond it a next one begins. */
const GROWING_BYTES = 4 * 1024;

/** A change to the records of a file: those that begin at `from` or behind go, then come these. */
export interface RecordChange {
  readonly from?: number;
  readonly put: readonly (readonly [start: number, bytes: Uint8Array])[];
}

/**
 * What is known in memory of a file that is stored as records: where each begins, and the bytes of the
 * last ones while together they are less than a full record. When they would be more, they are merged.
 * So a file of many small writes has few records, and none was written more than a few times.
 */
export class StoredFile {
  readonly starts: readonly number[];
  readonly recentStart: number;
  readonly #recent: Uint8Array;

  private constructor(starts: readonly number[], recentStart: number, recent: Uint8Array) {
    this.starts = starts;
    this.recentStart = recentStart;
    this.#recent = recent;
  }

  static empty(): StoredFile {
    return new StoredFile([], 0, new Uint8Array(0));
  }

  /** Where the records begin that `load` needs to see. */
  static loadFrom(starts: readonly number[]): number {
    const last = starts.at(-1) ?? 0;
    return starts.find((start) => start > last - RECORD_BYTES) ?? 0;
  }

  /** The file whose records begin at `starts`; `values` are the last of them, from `loadFrom` on or fewer. */
  static load(starts: readonly number[], values: readonly Uint8Array[]): StoredFile {
    const size = (starts.at(-1) ?? 0) + (values.at(-1)?.length ?? 0);
    let first = values.length;
    let length = 0;
    while (first > 0 && length + values[first - 1]!.length < RECORD_BYTES) {
      first--;
      length += values[first]!.length;
    }
    return new StoredFile(starts, size - length, concatBytes(values.slice(first)));
  }

  get size(): number {
    return this.recentStart + this.#recent.length;
  }

  /** The number of the record in which the byte at `offset` lies. */
  recordAt(offset: number): number {
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Copies what lies behind `recentStart` into `target`, which begins at `start` of the file. */
  copyRecent(target: Uint8Array, start: number): void {
    copyOverlap(this.#recent, this.recentStart, target, start);
  }

  /** What has to be stored for bytes at the end, and the file once it is. */
  appended(bytes: Uint8Array): { change: RecordChange; file: StoredFile } {
    const whole = concatBytes([this.#recent, bytes]);
    const { starts, recentStart, size } = this;
    if (whole.length < RECORD_BYTES) {
      const last = starts.at(-1) ?? -1;
      const grows = last >= recentStart && size - last < GROWING_BYTES;
      const start = grows ? last : size;
      return {
        change: { put: [[start, whole.slice(start - recentStart)]] },
        file: new StoredFile(grows ? starts : [...starts, start], recentStart, whole),
      };
    }
    const put: [number, Uint8Array][] = [];
    for (let at = 0; at < whole.length; at += RECORD_BYTES) {
      put.push([recentStart + at, whole.slice(at, at + RECORD_BYTES)]);
    }
    const before = starts.filter((start) => start < recentStart);
    const rest = whole.length % RECORD_BYTES;
    return {
      change: { from: recentStart, put },
      file: new StoredFile(
        [...before, ...put.map(([start]) => start)],
        recentStart + whole.length - rest,
        whole.slice(whole.length - rest),
      ),
    };
  }
}

/** Copies from `source` to `target` what lies in both, each beginning at an offset of one file. */
export function copyOverlap(
  source: Uint8Array,
  sourceStart: number,
  target: Uint8Array,
  targetStart: number,
): void {
  const from = Math.max(0, targetStart - sourceStart);
  const to = Math.min(source.length, targetStart + target.length - sourceStart);
  if (from < to) target.set(source.subarray(from, to), sourceStart + from - targetStart);
}
