import type { MaybePromise } from '../blocks.ts';

/** The bytes of recently used commits, within a bound; the oldest go first. */
export class BlockCache {
  readonly #limit: number;
  readonly #load: (commit: number) => MaybePromise<Uint8Array>;
  readonly #blocks = new Map<number, Uint8Array>();
  #bytes = 0;

  /** @param limit in bytes */
  constructor(limit: number, load: (commit: number) => MaybePromise<Uint8Array>) {
    this.#limit = limit;
    this.#load = load;
  }

  get(commit: number): MaybePromise<Uint8Array> {
    const held = this.#blocks.get(commit);
    if (held !== undefined) {
      this.#blocks.delete(commit);
      this.#blocks.set(commit, held);
      return held;
    }
    const loaded = this.#load(commit);
    if (loaded instanceof Promise) {
      return loaded.then((bytes) => {
        this.add(commit, bytes);
        return bytes;
      });
    }
    this.add(commit, loaded);
    return loaded;
  }

  add(commit: number, bytes: Uint8Array): void {
    if (this.#blocks.has(commit) || bytes.length > this.#limit) return;
    // A block cut out of a large chunk of a stream would keep the whole chunk alive.
    const own = bytes.buffer.byteLength > bytes.length * 2 ? bytes.slice() : bytes;
    this.#blocks.set(commit, own);
    this.#bytes += own.length;
    for (const [oldest, old] of this.#blocks) {
      if (this.#bytes <= this.#limit) break;
      this.#blocks.delete(oldest);
      this.#bytes -= old.length;
    }
  }

  /** Like `get`, but what has to be loaded is not kept: for reading through all of them once. */
  pass(commit: number): MaybePromise<Uint8Array> {
    return this.#blocks.get(commit) ?? this.#load(commit);
  }

  /** The bytes of several commits by number. */
  getAll(commits: Iterable<number>): MaybePromise<ReadonlyMap<number, Uint8Array>> {
    const blocks = new Map<number, Uint8Array>();
    const waits: Promise<void>[] = [];
    for (const commit of commits) {
      const bytes = this.get(commit);
      if (bytes instanceof Promise) {
        waits.push(
          bytes.then((loaded) => {
            blocks.set(commit, loaded);
          }),
        );
      } else {
        blocks.set(commit, bytes);
      }
    }
    return waits.length === 0 ? blocks : Promise.all(waits).then(() => blocks);
  }

  clear(): void {
    this.#blocks.clear();
    this.#bytes = 0;
  }
}
