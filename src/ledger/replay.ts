import type { CID } from 'multiformats/cid';
import type { MaybePromise } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import { BlockError, StorageError } from '../errors.ts';
import { type Log, type LogEntry, locationOf } from '../storage/log.ts';
import { kindOf } from './block-kind.ts';
import { isWithinSnapshot, numberOfParent, type ClockState } from './clock-state.ts';
import { advance } from './clock.ts';
import { NO_DOT, NOWHERE } from './commit-table.ts';
import { commitDigest, readCommit, type Commit } from './commit.ts';
import type { Documents } from './documents.ts';

type LoadSnapshots = () => MaybePromise<Pick<typeof import('./snapshots.ts'), 'mergeStoredRoot'>>;

/**
 * From stored blocks back to the clock and the documents: `add` takes them in the order of the log, in
 * which parents come before children, except where a block was lost to corruption. Its children are
 * merged without it, it becomes a hole in the table, and when a peer brings it back it stands behind
 * them.
 */
export class Replay {
  /** Blocks that this version cannot read, and snapshots that have lost a page; they stay where they are. */
  readonly unreadable: CID[] = [];
  /** The bytes of the commits that were merged. */
  bytes = 0;
  readonly #log: Log;
  readonly #state: ClockState;
  readonly #documents: Documents;
  readonly #loadSnapshots: LoadSnapshots;
  readonly #early = new Map<string, LogEntry>();

  /** @param loadSnapshots few logs have snapshots: what merges them is loaded for the first one */
  constructor(log: Log, state: ClockState, documents: Documents, loadSnapshots: LoadSnapshots) {
    this.#log = log;
    this.#state = state;
    this.#documents = documents;
    this.#loadSnapshots = loadSnapshots;
  }

  async add(entry: LogEntry): Promise<void> {
    switch (kindOf(entry.bytes)) {
      case 'page':
        return this.#addPage(entry);
      case 'root':
        return this.#addRoot(entry);
      case 'commit':
        return this.#addCommit(entry);
    }
  }

  /** Merges what is left, without what it waits for. */
  finish(): void {
    const early = this.#early;
    while (early.size > 0) {
      let progress = false;
      for (const [key, entry] of early) {
        const { digest, commit } = this.#read(entry)!;
        if (!this.#merge(entry, digest, commit)) continue;
        early.delete(key);
        progress = true;
      }
      if (progress) continue;
      // Nothing more fits: the first of them names a parent that is nowhere in the log.
      const { table } = this.#state;
      for (const entry of early.values()) {
        const lost = this.#read(entry)!.commit.parents.filter(
          (parent) => table.find(parent) < 0 && !early.has(keyOf(parent)),
        );
        for (const digest of lost) table.add(digest, [], 0, NO_DOT, NOWHERE);
        if (lost.length > 0) break;
      }
    }
  }

  #addPage(entry: LogEntry): void {
    const { digest } = entry.cid.multihash;
    if (!this.#state.pages.has(digest)) this.#state.loose.set(keyOf(digest), locationOf(entry));
  }

  async #addRoot(entry: LogEntry): Promise<void> {
    const { mergeStoredRoot } = await this.#loadSnapshots();
    try {
      await mergeStoredRoot(entry, this.#state, this.#documents, this.#log);
    } catch (error) {
      const isDamage = error instanceof StorageError && error.code === 'corrupt';
      if (!isDamage && !(error instanceof BlockError)) throw error;
      // A page of it was lost: the next peer that has a snapshot brings it back.
      this.unreadable.push(entry.cid);
    }
  }

  #addCommit(entry: LogEntry): void {
    const read = this.#read(entry);
    if (read === undefined) this.unreadable.push(entry.cid);
    else if (!this.#merge(entry, read.digest, read.commit)) {
      this.#early.set(keyOf(read.digest), entry);
    }
  }

  #read(entry: LogEntry): { digest: Uint8Array; commit: Commit } | undefined {
    const digest = commitDigest(entry.cid);
    try {
      return digest && { digest, commit: readCommit(entry.bytes) };
    } catch {
      // Its hash is right, so it was written like this: by a later version of the format, perhaps.
      return undefined;
    }
  }

  /** False when a parent is missing. */
  #merge(entry: LogEntry, digest: Uint8Array, commit: Commit): boolean {
    const { table, context, heads } = this.#state;
    // A commit may be kept beside the snapshot that holds what it wrote.
    const covered = isWithinSnapshot(this.#state, commit);
    const known = table.find(digest);
    if (known >= 0) {
      if (covered && table.isPruned(known)) table.setLocation(known, entry);
      return true;
    }
    const parents = commit.parents.map((parent, i) =>
      numberOfParent(this.#state, parent, commit.parentDots[i]!),
    );
    if (parents.includes(-1)) return false;
    const number = table.add(digest, parents, commit.time, commit, entry);
    if (covered) return true;
    context.add(commit);
    advance(heads, number, parents);
    this.#documents.apply(number, commit, entry.bytes);
    this.bytes += entry.length;
    return true;
  }
}
