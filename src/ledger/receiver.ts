import type { CID } from 'multiformats/cid';
import { cidOfDigest, type Block } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import { BlockError } from '../errors.ts';
import type { Log } from '../storage/log.ts';
import { checkTime, TICKS_PER_MS } from './clock.ts';
import { isWithinSnapshot, numberOfParent } from './clock-state.ts';
import { NOWHERE } from './commit-table.ts';
import type { Applied, CommitStore, Staged } from './commit-store.ts';
import { commitDigest, namesIn, readCommit, type Commit } from './commit.ts';
import type { Documents } from './documents.ts';
import type { Brought, ParkedCommit, ParkedCommits } from './parked.ts';
import { bringsNews, mergeSnapshot } from './snapshots.ts';
import { readRoot } from './snapshot.ts';

/**
 * The way into a CommitStore for what comes from elsewhere. The caller sees to it that one call at a
 * time runs of its methods and of the store's `write`.
 */
export class Receiver {
  readonly #log: Log;
  readonly #store: CommitStore;
  readonly #parked: ParkedCommits;
  readonly #futureToleranceMs: number;

  constructor(log: Log, store: CommitStore, parked: ParkedCommits, futureToleranceMs: number) {
    this.#log = log;
    this.#store = store;
    this.#parked = parked;
    this.#futureToleranceMs = futureToleranceMs;
  }

  /**
   * Stores blocks that came from elsewhere, parents first, and applies those that can be. Their
   * hashes have been checked. Never rejects: what went wrong stands beside what was applied before.
   * @param origin who brings them
   */
  receive(blocks: readonly Block[], nowMs: number, origin?: object): Promise<Received> {
    const brought = blocks.map(({ cid, bytes }): Brought => ({ cid, bytes, origin }));
    return this.#receive(async () => brought, 'sender', nowMs);
  }

  /** Applies the parked commits whose time has come. */
  receiveDue(nowMs: number): Promise<Received> {
    const due = async (): Promise<Brought[]> => this.#parked.ready(this.#readiness(nowMs));
    return this.#receive(due, 'parked', nowMs);
  }

  /** The wall clock in ms at which a parked commit that is too early at `nowMs` no longer is. */
  nextDueMs(nowMs: number): number {
    const time = this.#parked.earliestAfter(this.#latestTime(nowMs));
    return time === Infinity ? Infinity : time / TICKS_PER_MS - this.#futureToleranceMs;
  }

  async #receive(
    load: () => Promise<readonly Brought[]>,
    from: 'sender' | 'parked',
    nowMs: number,
  ): Promise<Received> {
    const applied: Applied[] = [];
    const rejected: Rejected[] = [];
    let healed = false;
    let error: unknown;
    try {
      let source = from;
      let queue = await load();
      while (queue.length > 0) {
        const start = this.#store.state.table.count;
        const staged: Staged[] = [];
        let heals = false;
        for (const block of queue) {
          try {
            const outcome = this.#stage(block, nowMs, source);
            if (outcome === 'held') {
              // A snapshot has brought it meanwhile.
              if (source === 'parked') this.#parked.remove(block.cid);
              continue;
            }
            if (!outcome.parked) staged.push({ block, commit: outcome.commit });
            else if (source === 'sender') {
              await this.#parked.add(block, outcome.digest, outcome.commit);
            }
            heals ||= outcome.healed;
          } catch (cause) {
            if (source === 'sender') {
              error = cause;
              break;
            }
            // It was parked on its sender's word and turns out impossible: not this caller's fault.
            rejected.push({ cid: block.cid, error: cause });
            this.#parked.remove(block.cid);
          }
        }
        const stored = await this.#store.store(start, staged);
        healed ||= heals;
        applied.push(...stored);
        // Only now, so that those that could not be stored are still held.
        if (source === 'parked') for (const { cid } of stored) this.#parked.remove(cid);
        queue = await this.#childrenOf(stored, nowMs);
        source = 'parked';
      }
      await this.#parked.sweep();
    } catch (cause) {
      error ??= cause;
    }
    return { applied, rejected, healed, error };
  }

  async #childrenOf(commits: readonly Applied[], nowMs: number): Promise<Brought[]> {
    if (this.#parked.size === 0) return [];
    const ready = this.#readiness(nowMs);
    // By key, since one may have several parents among them.
    const blocks = new Map<string, Brought>();
    for (const { number } of commits) {
      const children = await this.#parked.readyChildren(
        this.#store.state.table.digest(number),
        ready,
      );
      for (const child of children) blocks.set(keyOf(child.cid.multihash.digest), child);
    }
    return [...blocks.values()];
  }

  #readiness(nowMs: number): (commit: ParkedCommit) => boolean {
    const state = this.#store.state;
    return ({ time, parents, parentDots }) =>
      !this.#isTooEarly(time, nowMs) &&
      parents.every(
        (parent, i) => state.table.find(parent) >= 0 || isWithinSnapshot(state, parentDots[i]!),
      );
  }

  #isTooEarly(time: number, nowMs: number): boolean {
    return time > this.#latestTime(nowMs);
  }

  #latestTime(nowMs: number): number {
    return (nowMs + this.#futureToleranceMs) * TICKS_PER_MS;
  }

  /**
   * Checks a block and, when it can be applied, gives it a number.
   * @throws BlockError
   */
  #stage(
    block: Block,
    nowMs: number,
    source: 'sender' | 'parked',
  ): 'held' | { digest: Uint8Array; commit: Commit; parked: boolean; healed: boolean } {
    const digest = commitDigest(block.cid);
    if (digest === undefined) {
      throw new BlockError('unsupported-cid', `block ${block.cid} is not dag-cbor by sha2-256`);
    }
    const { table } = this.#store.state;
    const known = table.find(digest);
    const healed = known >= 0 && table.isHole(known) && known < this.#store.count;
    if (known >= 0 && !healed) return 'held';
    if (source === 'sender' && this.#parked.has(digest)) return 'held';
    const commit = readCommit(block.bytes);
    // Within a snapshot we have it already.
    if (isWithinSnapshot(this.#store.state, commit)) return 'held';
    const parents = commit.parents.map((parent, i) =>
      numberOfParent(this.#store.state, parent, commit.parentDots[i]!),
    );
    const orphan = parents.includes(-1);
    if (!orphan) this.#check(commit, parents, block.cid);
    if (orphan || this.#isTooEarly(commit.time, nowMs)) {
      return { digest, commit, parked: true, healed: false };
    }
    if (!healed) table.add(digest, parents, commit.time, commit, NOWHERE);
    return { digest, commit, parked: false, healed };
  }

  #check(commit: Commit, parents: readonly number[], cid: CID): void {
    checkTime(
      commit.time,
      parents.map((parent) => this.#store.state.table.time(parent)),
    );
    // What was superseded before our snapshot was made has no name here any more.
    if (this.#store.isPruned) return;
    for (const { id, replaces } of commit.operations) {
      for (const name of namesIn(replaces)) {
        if (this.#store.state.table.find(name) < 0) {
          throw new BlockError(
            'impossible-replaces',
            `commit ${cid} supersedes a version of '${id}' that is not among its ancestors`,
          );
        }
      }
    }
  }

  // --- snapshots ---

  /** Stores pages, which count for nothing until the root comes that names them. */
  async addPages(pages: readonly Block[]): Promise<void> {
    const { state } = this.#store;
    const fresh = pages.filter(({ cid }) => !this.#hasPage(cid));
    const locations = await this.#log.append(fresh);
    fresh.forEach(({ cid }, i) => state.loose.set(keyOf(cid.multihash.digest), locations[i]!));
  }

  /**
   * Stores the root of a snapshot whose pages are stored, and merges it.
   * @returns the ids of the documents that changed, and all blocks of the snapshot; undefined when it
   *   brings nothing new
   * @throws BlockError `malformed-snapshot`; StorageError
   */
  async addRoot(
    block: Block,
    documents: Documents,
  ): Promise<{ ids: string[]; cids: CID[] } | undefined> {
    const root = readRoot(block.bytes);
    if (!bringsNews(this.#store.state, root)) return undefined;
    const [location] = await this.#log.append([block]);
    const placed = { digest: block.cid.multihash.digest, location: location! };
    const ids = await mergeSnapshot(this.#store.state, documents, root, placed, this.#log);
    this.#store.recount();
    return { ids, cids: [...root.pages.map((page) => cidOfDigest(page)), block.cid] };
  }

  #hasPage(cid: CID): boolean {
    const { digest } = cid.multihash;
    return this.#store.state.pages.has(digest) || this.#store.state.loose.has(keyOf(digest));
  }
}

export interface Received {
  readonly applied: readonly Applied[];
  /** True when a commit came back that the log had lost: states must be merged anew. */
  readonly healed: boolean;
  /** Parked commits that turned out to be impossible when their parents came. */
  readonly rejected: readonly Rejected[];
  /** What was wrong with the first block that cannot be, or with the storage. */
  readonly error: unknown;
}

export interface Rejected {
  readonly cid: CID;
  readonly error: unknown;
}
