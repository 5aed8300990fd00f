import type { CID } from 'multiformats/cid';
import type { Block } from '../blocks.ts';
import { StorageError } from '../errors.ts';
import type { Log, LogPosition } from '../storage/log.ts';
import { snapshotPages } from './canonical.ts';
import type { CommitStore } from './commit-store.ts';
import type { Documents } from './documents.ts';
import { encodeRoot } from './snapshot.ts';

export interface CompactReport {
  /** What the log took before and after, in bytes. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** How many commits gave way to the snapshot. */
  readonly dropped: number;
}

/** The ledger that is compacted. */
interface Owner {
  readonly log: Log;
  readonly store: CommitStore;
  readonly options: { readonly history: 'full' | 'recent'; readonly recentBytes: number };
  readonly documents: () => Documents;
  /** Reads the log anew from there on, in place of all that was known. */
  readonly rebuild: (from?: LogPosition) => Promise<void>;
  readonly saveIndex: () => Promise<void>;
}

/** How many blocks are handed to the log at once. */
const BATCH = 64;

/**
 * Lets old commits give way to a snapshot: writes the snapshot and the newest commits behind the log,
 * reads them back, and only then lets go of what lies before. A crash at any point leaves a log that
 * tells the same.
 */
export class Compaction {
  readonly #owner: Owner;
  /** How many copies are being read out: what they read must stay. */
  #readers = 0;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /**
   * The blocks of a snapshot of the documents as they are now, its root last; as often as asked for,
   * until `release`. The caller keeps writes away meanwhile: a commit that the clock tells of may not
   * be in the documents yet, and whoever merges such a snapshot would lose it.
   */
  snapshot(): { readonly blocks: () => AsyncGenerator<Block>; readonly release: () => void } {
    const { table, heads, context } = this.#owner.store.state;
    const documents = this.#owner.documents().frozen();
    const covered = context.copy();
    const tips = [...heads].sort((a, b) => table.compareDigests(a, b));
    const meanBytes = this.#owner.log.bytes / (documents.states.size + 1);
    return {
      async *blocks() {
        const pages: CID[] = [];
        for await (const page of snapshotPages(documents, meanBytes)) {
          pages.push(page.cid);
          yield page;
        }
        yield encodeRoot(
          covered,
          tips.map((tip) => table.version(tip)),
          pages,
        );
      },
      release: this.hold(),
    };
  }

  /** Nothing is dropped until the function is called that this returns. */
  hold(): () => void {
    this.#readers++;
    return () => {
      this.#readers--;
    };
  }

  /** The caller keeps writes away. @throws StorageError */
  async run(): Promise<CompactReport> {
    const { log, store, options, rebuild, saveIndex } = this.#owner;
    const bytesBefore = log.bytes;
    const commitsBefore = store.blockCount;
    const kept = this.#newestCommits(options.recentBytes);
    const isOfUse =
      options.history === 'recent' &&
      kept.length < commitsBefore &&
      store.missing.length === 0 &&
      this.#readers === 0;
    if (!isOfUse) return { bytesBefore, bytesAfter: bytesBefore, dropped: 0 };
    const clock = store.clock.join();
    const segment = log.roll();
    let batch: Block[] = [];
    const append = async (block: Block): Promise<void> => {
      batch.push(block);
      if (batch.length < BATCH) return;
      await log.append(batch);
      batch = [];
    };
    const snapshot = this.snapshot();
    try {
      for await (const block of snapshot.blocks()) await append(block);
    } finally {
      snapshot.release();
    }
    for (const commit of kept) {
      const bytes = store.cache.pass(commit);
      await append({
        cid: store.table.cid(commit),
        bytes: bytes instanceof Promise ? await bytes : bytes,
      });
    }
    await log.append(batch);
    await log.flush();
    await rebuild({ segment, offset: 0 });
    if (store.clock.join() !== clock) {
      await rebuild();
      throw new StorageError('corrupt', 'the snapshot does not tell the clock that it was made of');
    }
    await log.dropBefore(segment);
    await saveIndex();
    return { bytesBefore, bytesAfter: log.bytes, dropped: commitsBefore - store.blockCount };
  }

  /** The newest commits that are here whole and have so many bytes together, oldest first. */
  #newestCommits(bytes: number): number[] {
    const { table, count } = this.#owner.store;
    const commits: number[] = [];
    let left = bytes;
    for (let commit = count - 1; commit >= 0; commit--) {
      if (!table.isWhole(commit)) continue;
      left -= table.size(commit);
      if (left < 0) break;
      commits.push(commit);
    }
    return commits.reverse();
  }
}
