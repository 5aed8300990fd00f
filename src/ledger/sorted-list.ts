/**
 * A sorted list in chunks: inserting and removing cost the square root of its size, not its size, and
 * ranges are read in order from either end.
 */
export class SortedList<T> {
  readonly #compare: (a: T, b: T) => number;
  #chunks: T[][];

  /** @param items in any order; `compare` tells any two different items apart */
  constructor(compare: (a: T, b: T) => number, items: Iterable<T> = []) {
    this.#compare = compare;
    const sorted = [...items].sort(compare);
    this.#chunks = [];
    for (let i = 0; i < sorted.length; i += CHUNK) this.#chunks.push(sorted.slice(i, i + CHUNK));
  }

  /** Adds an item, unless its equal is there. */
  add(item: T): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push([item]);
      return;
    }
    const { chunk, index } = this.#seek((other) => this.#compare(other, item) < 0);
    const last = chunk === this.#chunks.length;
    const items = this.#chunks[last ? chunk - 1 : chunk]!;
    const at = last ? items.length : index;
    if (at < items.length && this.#compare(items[at]!, item) === 0) return;
    items.splice(at, 0, item);
    if (items.length > CHUNK * 2) {
      this.#chunks.splice((last ? chunk - 1 : chunk) + 1, 0, items.splice(CHUNK));
    }
  }

  remove(item: T): void {
    const { chunk, index } = this.#seek((other) => this.#compare(other, item) < 0);
    const items = this.#chunks[chunk];
    const found = items?.[index];
    if (items === undefined || found === undefined || this.#compare(found, item) !== 0) return;
    items.splice(index, 1);
    if (items.length === 0) this.#chunks.splice(chunk, 1);
  }

  /**
   * The items from the first that is not `below` up to the last that is not `above`; both must be
   * monotone: true below (above) some point of the order and false beyond it.
   */
  *range(
    below: (item: T) => boolean,
    above: (item: T) => boolean,
    descending = false,
  ): Generator<T> {
    if (descending) {
      const end = this.#seek((item) => !above(item));
      for (let chunk = end.chunk; chunk >= 0; chunk--) {
        const items = this.#chunks[chunk] ?? [];
        const from = chunk === end.chunk ? end.index - 1 : items.length - 1;
        for (let i = from; i >= 0; i--) {
          if (below(items[i]!)) return;
          yield items[i]!;
        }
      }
    } else {
      const start = this.#seek(below);
      for (let chunk = start.chunk; chunk < this.#chunks.length; chunk++) {
        const items = this.#chunks[chunk]!;
        for (let i = chunk === start.chunk ? start.index : 0; i < items.length; i++) {
          if (above(items[i]!)) return;
          yield items[i]!;
        }
      }
    }
  }

  /** The first place whose item is not `before`. */
  #seek(before: (item: T) => boolean): { chunk: number; index: number } {
    const chunk = lowerBound(this.#chunks.length, (i) => before(this.#chunks[i]!.at(-1)!));
    const items = this.#chunks[chunk];
    const index = items === undefined ? 0 : lowerBound(items.length, (i) => before(items[i]!));
    return { chunk, index };
  }
}

const CHUNK = 512;

function lowerBound(length: number, before: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
