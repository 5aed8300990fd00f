import type { MaybePromise } from '../src/blocks.ts';
import type { MemoryChannel } from '../src/transports/memory.ts';
import type { BenchDocument } from './documents.ts';

/** One replica of one library, used as its own documentation tells a developer to. */
export interface Store {
  /** Writes many new documents in the way that the library does fastest. */
  load(documents: Iterable<BenchDocument>): MaybePromise<void>;
  /** Writes one new document; done when the library calls it written. */
  put(document: BenchDocument): MaybePromise<void>;
  /** Writes a new version of a stored document. */
  replace(document: BenchDocument): MaybePromise<void>;
  /** Writes a version of a stored document of which only the field `plays` differs. */
  changePlays(document: BenchDocument): MaybePromise<void>;
  get(id: string): MaybePromise<BenchDocument | undefined>;
  count(): MaybePromise<number>;
  /** Calls the listener with the id of each document that a peer has written, once it can be read. */
  subscribe(listener: (id: string) => void): void;
  /** Makes the store outlast this process, as files in a folder of its own; it is not used again. */
  save(folder: string): MaybePromise<void>;
  close(): MaybePromise<void>;
}

export interface Link {
  /** Resolves when both sides have what either had. */
  readonly synced: Promise<void>;
  close(): MaybePromise<void>;
}

export type Pipe = readonly [alice: MemoryChannel, bob: MemoryChannel];

export interface Peer<S extends Store = Store> {
  /** The largest message, in bytes, that the library sends whole; Infinity where it has no bound. */
  readonly maxFrameBytes: number;
  /** @param folder an empty folder of its own */
  open(folder: string, name: string): MaybePromise<S>;
  /** Opens what `save` left in the folder; done when its documents can be read. */
  reopen(folder: string, name: string): MaybePromise<S>;
  /** Joins two replicas. Alice sends by the first channel, Bob by the second. */
  join(alice: S, bob: S, pipe: Pipe, options: { live: boolean }): Link;
}
