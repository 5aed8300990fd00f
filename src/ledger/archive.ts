import type { CID } from 'multiformats/cid';
import { type Block, cidOfDigest } from '../blocks.ts';
import { hex } from '../bytes.ts';
import { carChunks } from '../car/chunks.ts';
import { carHeader } from '../car/writer.ts';
import { StorageError } from '../errors.ts';
import type { Log, LogPosition } from '../storage/log.ts';
import type { Turns } from '../turns.ts';
import { digestOf } from './canonical.ts';
import type { ClockState } from './clock-state.ts';
import { commitEntries, type CommitEntry } from './commit-entries.ts';
import type { CommitStore } from './commit-store.ts';
import { Compaction, type CompactReport } from './compaction.ts';
import type { Documents } from './documents.ts';
import type { VerifyReport } from './ledger.ts';
import { Past } from './past.ts';
import { rootsOf } from './snapshots.ts';
import { type NewReplay, verify } from './verify.ts';

/** Readers of CARs bound the header. */
const MAX_ROOTS = 1000;

/** The ledger that is looked at as a whole. */
interface Owner {
  readonly log: Log;
  readonly store: CommitStore;
  readonly turns: Turns;
  readonly options: { readonly history: 'full' | 'recent'; readonly recentBytes: number };
  readonly documents: () => Documents;
  readonly emptyState: () => ClockState;
  /** Not imported here: a bundler would cut its file off the one that a page loads at once. */
  readonly newReplay: NewReplay;
  /** @throws LedgerError `closed` */
  readonly checkOpen: () => void;
  /** Reads the log anew from there on, in place of all that was known. */
  readonly rebuild: (from?: LogPosition) => Promise<void>;
  readonly saveIndex: () => Promise<void>;
}

/** What is asked of all that a ledger has stored: its past, copies of it, checks, and less of it. */
export class Archive {
  readonly #owner: Owner;
  readonly #compaction: Compaction;
  #past: Past | undefined;

  constructor(owner: Owner) {
    this.#owner = owner;
    this.#compaction = new Compaction(owner);
  }

  /** The documents as they were, of the log as it was read last. */
  get past(): Past {
    const { store, log } = this.#owner;
    if (this.#past?.state !== store.state) this.#past = new Past(store.state, log);
    return this.#past;
  }

  /** Commits by number, as `Ledger.commits` tells them. */
  commitEntries(commits: Iterable<number>, limit: number): Promise<CommitEntry[]> {
    return commitEntries(commits, limit, this.#owner.store.state);
  }

  async digest(): Promise<string> {
    return hex(await digestOf(this.#owner.documents()));
  }

  /** See `Ledger.export`. */
  async *export(): AsyncGenerator<Uint8Array> {
    const { store, turns } = this.#owner;
    const release = await turns.run(() => this.#compaction.hold());
    try {
      const cids = this.#storedCids();
      yield carHeader(store.clock.slice(0, MAX_ROOTS));
      yield* carChunks(this.#blocks(await cids));
    } finally {
      release();
    }
  }

  /** See `Ledger.snapshot`. */
  async *snapshot(): AsyncGenerator<Uint8Array> {
    const { blocks, release } = await this.#startSnapshot();
    try {
      // A CAR begins with its root, which is known when all pages are: the first pass only hashes.
      let root: CID | undefined;
      for await (const block of blocks()) root = block.cid;
      yield carHeader([root!]);
      yield* carChunks(blocks());
    } finally {
      release();
    }
  }

  /** The blocks of a snapshot, its root last. */
  async *snapshotBlocks(): AsyncGenerator<Block> {
    const { blocks, release } = await this.#startSnapshot();
    try {
      yield* blocks();
    } finally {
      release();
    }
  }

  /** The caller keeps writes away. @throws StorageError */
  compact(): Promise<CompactReport> {
    return this.#compaction.run();
  }

  /** The caller keeps writes away. See `Ledger.verify`. */
  verify(onProgress?: (done: number, total: number) => void): Promise<VerifyReport> {
    const { log, store, documents, emptyState, newReplay } = this.#owner;
    return verify(log, store, documents(), emptyState(), newReplay, onProgress);
  }

  #startSnapshot(): Promise<ReturnType<Compaction['snapshot']>> {
    return this.#owner.turns.run(() => this.#compaction.snapshot());
  }

  /** What the log holds of it all: the merged snapshots, pages before roots, then the commits. */
  async #storedCids(): Promise<Iterable<CID>> {
    const { log, store } = this.#owner;
    const commits = store.cids();
    const cids: CID[] = [];
    for (const { cid, root } of await rootsOf(store.state, log)) {
      cids.push(...root.pages.map((page) => cidOfDigest(page)), cid);
    }
    return [...cids, ...commits];
  }

  async *#blocks(cids: Iterable<CID>): AsyncGenerator<Block> {
    const { store, checkOpen } = this.#owner;
    for (const cid of cids) {
      checkOpen();
      const bytes = await store.getBlock(cid);
      if (bytes === undefined) {
        throw new StorageError('missing-block', `block ${cid} was lost while it was exported`);
      }
      yield { cid, bytes };
    }
  }
}
