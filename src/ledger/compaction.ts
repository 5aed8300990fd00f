import type { CID } from 'multiformats/cid';
import type { Block } from '../blocks.ts';
import { StorageError } from '../errors.ts';
import type { Log, LogPosition } from '../storage/log.ts';
import type { CommitStore } from './commit-store.ts';
import type { Documents } from './documents.ts';
import { encodeRoot, PAGE_MEAN_BYTES, PAGE_MIN_BYTES } from './snapshot.ts';

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

/** A log is compacted by itself from this size on, 16 MiB, ... */
const AUTO_BYTES = 16 * 1024 * 1024;
/** ... when each document was written more often than this on average. */
const AUTO_WRITINGS = 4;

/** A newcomer is sent a snapshot when the commits have more bytes than this, 16 KiB, ... */
const PAYS_BYTES = 16 * 1024;
/** ... and each document was written more often than this on average. */
const PAYS_WRITINGS = 2;

/**
 * Lets old commits give way to a snapshot: writes the snapshot and the newest commits behind the log,
 * reads them back, and only then lets go of what lies before. A crash at any point leaves a log that
 * tells the same.
 */
export class Compaction {
  readonly #owner: Owner;
  /** How many snapshots are being read out: what they read must stay. */
  #readers = 0;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** True when a newcomer is better off with a snapshot than with all commits. */
  get snapshotPays(): boolean {
    return this.#owner.log.bytes > PAYS_BYTES && this.#owner.documents().hasOutgrown(PAYS_WRITINGS);
  }

  /** How large a snapshot is, about. */
  get snapshotSize(): { blocks: number; bytes: number } {
    const documents = this.#owner.documents();
    const bytes = Math.ceil(
      (this.#owner.log.bytes / (documents.writings + 1)) * documents.states.size,
    );
    return { blocks: 1 + Math.ceil(bytes / (PAGE_MIN_BYTES + PAGE_MEAN_BYTES)), bytes };
  }

  /** True when the log has outgrown the documents several times over. */
  get isDue(): boolean {
    const { options, documents } = this.#owner;
    if (options.history === 'full' || this.#owner.log.bytes < AUTO_BYTES) return false;
    return documents().hasOutgrown(AUTO_WRITINGS);
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
    this.#readers++;
    return {
      async *blocks() {
        const pages: CID[] = [];
        for await (const page of documents.snapshotPages(meanBytes)) {
          pages.push(page.cid);
          yield page;
        }
        yield encodeRoot(
          covered,
          tips.map((tip) => table.version(tip)),
          pages,
        );
      },
      release: () => {
        this.#readers--;
      },
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
