import { LedgerError } from '../errors.ts';

/** A stream that nobody reads for so long has lost its reader. */
const IDLE_MS = 60_000;
/** An answer carries items until they have more bytes, or are more. */
const BATCH_BYTES = 256 * 1024;
const BATCH_ITEMS = 4096;

interface Stream {
  readonly items: AsyncIterator<unknown> | Iterator<unknown>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Sequences that other tabs read piece by piece. */
export class Streams {
  readonly #streams = new Map<number, Stream>();
  #count = 0;

  open(items: Iterable<unknown> | AsyncIterable<unknown>): number {
    const iterator =
      Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    this.#streams.set(++this.#count, { items: iterator, timer: undefined });
    this.#await(this.#count);
    return this.#count;
  }

  /** @throws LedgerError `interrupted` for one that is not open, and whatever the source throws */
  async next(id: number): Promise<{ items: unknown[]; done: boolean }> {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      throw new LedgerError('interrupted', 'this was read from a tab that is gone: begin anew');
    }
    clearTimeout(stream.timer);
    const items: unknown[] = [];
    for (let bytes = 0; bytes < BATCH_BYTES && items.length < BATCH_ITEMS;) {
      const next = await stream.items.next();
      if (next.done === true) {
        this.#streams.delete(id);
        return { items, done: true };
      }
      items.push(next.value);
      bytes += sizeOf(next.value);
    }
    this.#await(id);
    return { items, done: false };
  }

  async end(id: number): Promise<void> {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    clearTimeout(stream?.timer);
    await stream?.items.return?.();
  }

  async endAll(): Promise<void> {
    for (const id of this.#streams.keys()) await this.end(id);
  }

  #await(id: number): void {
    const stream = this.#streams.get(id)!;
    stream.timer = setTimeout(() => {
      this.end(id).catch(() => {});
    }, IDLE_MS);
  }
}

/** Of chunks and blocks, in bytes; of anything else it does not matter. */
function sizeOf(item: unknown): number {
  if (item instanceof Uint8Array) return item.length;
  if (typeof item !== 'object' || item === null || !('bytes' in item)) return 0;
  return item.bytes instanceof Uint8Array ? item.bytes.length : 0;
}
