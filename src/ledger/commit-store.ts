import type { CID } from 'multiformats/cid';
import { blockOf, compareBytes, type Block, type MaybePromise } from '../blocks.ts';
import { BlockError } from '../errors.ts';
import type { Location, Log } from '../storage/log.ts';
import type { BlockCache } from './block-cache.ts';
import { advance, checkTime, nextTime, TICKS_PER_MS } from './clock.ts';
import type { CommitTable } from './commit-table.ts';
import {
  commitDigest,
  encodeCommit,
  MAX_PARENTS,
  namesIn,
  readCommit,
  type Commit,
} from './commit.ts';
import { type ParkedCommit, ParkedCommits } from './parked.ts';

/**
 * The Merkle clock over the log: which commits there are, which are its heads, and the only two ways
 * in, writing a commit of our own and receiving one from elsewhere.
 *
 * Invariants:
 * 1. A commit is applied after it is in the log, and after all its parents.
 * 2. It is applied after every commit that one of its operations names, so states do not depend on the
 *    order of arrival (merge.ts). A commit that names an unknown one is refused.
 * 3. What cannot be applied yet is parked, not lost.
 *
 * The caller sees to it that one call at a time runs of those that return promises.
 */
export class CommitStore {
  readonly #log: Log;
  readonly #parked: ParkedCommits;
  readonly #options: CommitStoreOptions;
  #table: CommitTable;
  #cache: BlockCache;
  #heads: Set<number>;
  #holes: number;
  #clock: readonly CID[] | undefined;
  /** Commits below this number are applied; those above it are being written. */
  #applied: number;

  constructor(
    log: Log,
    parked: ParkedCommits,
    restored: RestoredCommits,
    options: CommitStoreOptions,
  ) {
    this.#log = log;
    this.#parked = parked;
    this.#options = options;
    this.#table = restored.table;
    this.#cache = restored.cache;
    this.#heads = restored.heads;
    this.#applied = restored.table.count;
    this.#holes = countHoles(restored.table);
  }

  /** Begins anew with what the log was found to hold. */
  restart(restored: RestoredCommits): void {
    this.#table = restored.table;
    this.#cache = restored.cache;
    this.#heads = restored.heads;
    this.#applied = restored.table.count;
    this.#holes = countHoles(restored.table);
    this.#clock = undefined;
  }

  get table(): CommitTable {
    return this.#table;
  }

  get cache(): BlockCache {
    return this.#cache;
  }

  /** The heads, by number. */
  get heads(): ReadonlySet<number> {
    return this.#heads;
  }

  /** The heads, sorted by digest. */
  get clock(): readonly CID[] {
    this.#clock ??= [...this.#heads]
      .sort((a, b) => this.#table.compareDigests(a, b))
      .map((head) => this.#table.cid(head));
    return this.#clock;
  }

  /** How many commits are applied. */
  get count(): number {
    return this.#applied;
  }

  /** How many of them are here whole. */
  get blockCount(): number {
    return this.#applied - this.#holes;
  }

  /** The commits that the log has lost, by CID. */
  get missing(): CID[] {
    const missing: CID[] = [];
    if (this.#holes === 0) return missing;
    for (let commit = 0; commit < this.#applied; commit++) {
      if (this.#table.isHole(commit)) missing.push(this.#table.cid(commit));
    }
    return missing;
  }

  get parkedCount(): number {
    return this.#parked.size;
  }

  /** The number of an applied commit that is here whole; -1 for any other CID. */
  numberOf(cid: CID): number {
    const digest = commitDigest(cid);
    const commit = digest === undefined ? -1 : this.#table.find(digest);
    return commit >= 0 && commit < this.#applied && !this.#table.isHole(commit) ? commit : -1;
  }

  /** True for applied and for parked commits. */
  has(cid: CID): boolean {
    const digest = commitDigest(cid);
    return digest !== undefined && (this.numberOf(cid) >= 0 || this.#parked.has(digest));
  }

  getBlock(cid: CID): MaybePromise<Uint8Array | undefined> {
    const commit = this.numberOf(cid);
    if (commit >= 0) return this.#cache.pass(commit);
    const digest = commitDigest(cid);
    return digest === undefined ? undefined : this.#parked.bytesOf(digest);
  }

  /** All applied commits, parents first; those that come after this call are not among them. */
  cids(): Generator<CID> {
    return wholeCids(this.#table, this.#applied);
  }

  /** What a side lacks that has these heads and all below them; undefined when one is not here. */
  commitsSince(heads: readonly CID[]): number[] | undefined {
    const numbers = heads.map((head) => this.numberOf(head));
    if (numbers.includes(-1)) return undefined;
    return this.#table
      .notBelow(numbers, [...this.#heads])
      .filter((commit) => !this.#table.isHole(commit));
  }

  // --- writing ---

  /**
   * Writes commits of our own, each on top of the one before, and applies them.
   * @param transactions the encoded operations of each commit
   * @throws StorageError; nothing is then written
   */
  write(transactions: readonly (readonly Uint8Array[])[], nowMs: number): MaybePromise<Applied[]> {
    const start = this.#table.count;
    // The oldest heads first: with more than MAX_PARENTS the newest stay heads for the next commit.
    let parents = [...this.#heads].sort((a, b) => a - b).slice(0, MAX_PARENTS);
    const staged: Staged[] = [];
    try {
      for (const operations of transactions) {
        const digests = parents.map((parent) => this.#table.digest(parent)).sort(compareBytes);
        const time = nextTime(
          nowMs,
          parents.map((parent) => this.#table.time(parent)),
        );
        const block = blockOf(encodeCommit(digests, time, this.#options.writer, operations));
        const commit = readCommit(block.bytes);
        staged.push({ block, commit });
        parents = [this.#table.add(commitDigest(block.cid)!, parents, time, NOWHERE)];
      }
    } catch (error) {
      this.#table.truncate(start);
      throw error;
    }
    return this.#store(start, staged);
  }

  /**
   * Stores blocks that came from elsewhere, parents first, and applies those that can be. Their
   * hashes have been checked. Never rejects: what went wrong stands beside what was applied before.
   */
  receive(blocks: readonly Block[], nowMs: number): Promise<Received> {
    return this.#receive(async () => blocks, 'sender', nowMs);
  }

  /** Applies the parked commits whose time has come. */
  receiveDue(nowMs: number): Promise<Received> {
    const due = async (): Promise<Block[]> => this.#parked.ready(this.#readiness(nowMs));
    return this.#receive(due, 'parked', nowMs);
  }

  /** The wall clock in ms at which a parked commit that is too early at `nowMs` no longer is. */
  nextDueMs(nowMs: number): number {
    const time = this.#parked.earliestAfter(this.#latestTime(nowMs));
    return time === Infinity ? Infinity : time / TICKS_PER_MS - this.#options.futureToleranceMs;
  }

  async #receive(
    load: () => Promise<readonly Block[]>,
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
        const start = this.#table.count;
        const staged: Staged[] = [];
        let heals = false;
        for (const block of queue) {
          try {
            const outcome = this.#stage(block, nowMs, source);
            if (outcome === 'held') continue;
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
        const stored = await this.#store(start, staged);
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

  async #childrenOf(commits: readonly Applied[], nowMs: number): Promise<Block[]> {
    if (this.#parked.size === 0) return [];
    const ready = this.#readiness(nowMs);
    const blocks: Block[] = [];
    for (const { number } of commits) {
      blocks.push(...(await this.#parked.readyChildren(this.#table.digest(number), ready)));
    }
    return blocks;
  }

  #readiness(nowMs: number): (commit: ParkedCommit) => boolean {
    return ({ time, parents }) =>
      !this.#isTooEarly(time, nowMs) && parents.every((parent) => this.#table.find(parent) >= 0);
  }

  #isTooEarly(time: number, nowMs: number): boolean {
    return time > this.#latestTime(nowMs);
  }

  #latestTime(nowMs: number): number {
    return (nowMs + this.#options.futureToleranceMs) * TICKS_PER_MS;
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
    const known = this.#table.find(digest);
    const healed = known >= 0 && this.#table.isHole(known) && known < this.#applied;
    if (known >= 0 && !healed) return 'held';
    if (source === 'sender' && this.#parked.has(digest)) return 'held';
    const commit = readCommit(block.bytes);
    const parents = commit.parents.map((parent) => this.#table.find(parent));
    const orphan = parents.includes(-1);
    if (!orphan) this.#check(commit, parents, block.cid);
    if (orphan || this.#isTooEarly(commit.time, nowMs)) {
      return { digest, commit, parked: true, healed: false };
    }
    if (!healed) this.#table.add(digest, parents, commit.time, NOWHERE);
    return { digest, commit, parked: false, healed };
  }

  #check(commit: Commit, parents: readonly number[], cid: CID): void {
    checkTime(
      commit.time,
      parents.map((parent) => this.#table.time(parent)),
    );
    for (const { id, replaces } of commit.operations) {
      for (const name of namesIn(replaces)) {
        if (this.#table.find(name) < 0) {
          throw new BlockError(
            'impossible-replaces',
            `commit ${cid} supersedes a version of '${id}' that is not among its ancestors`,
          );
        }
      }
    }
  }

  /** Writes staged commits, numbered from `start`, and applies them. On failure none is left. */
  #store(start: number, staged: readonly Staged[]): MaybePromise<Applied[]> {
    if (staged.length === 0) return [];
    try {
      const written = this.#log.append(staged.map(({ block }) => block));
      if (!(written instanceof Promise)) return this.#apply(staged, written);
      return written.then(
        (locations) => this.#apply(staged, locations),
        (error: unknown) => {
          this.#table.truncate(start);
          throw error;
        },
      );
    } catch (error) {
      this.#table.truncate(start);
      throw error;
    }
  }

  #apply(staged: readonly Staged[], locations: readonly Location[]): Applied[] {
    let bytes = 0;
    for (const { block } of staged) bytes += block.bytes.length;
    const applied = staged.map(({ block, commit }, index) => {
      const number = this.#table.find(commitDigest(block.cid)!);
      this.#table.setLocation(number, locations[index]!);
      if (number >= this.#applied) advance(this.#heads, number, this.#table.parents(number));
      if (bytes <= LIVE_BYTES) this.#cache.add(number, block.bytes);
      return { number, commit, bytes: block.bytes, cid: block.cid };
    });
    this.#applied = this.#table.count;
    this.#clock = undefined;
    return applied;
  }
}

/** What recovery makes of a log. */
export interface RestoredCommits {
  readonly table: CommitTable;
  readonly heads: Set<number>;
  readonly cache: BlockCache;
}

export interface CommitStoreOptions {
  readonly writer: Uint8Array;
  readonly futureToleranceMs: number;
}

interface Staged {
  readonly block: Block;
  readonly commit: Commit;
}

/** A commit that became part of the clock. */
export interface Applied {
  readonly number: number;
  readonly cid: CID;
  readonly commit: Commit;
  readonly bytes: Uint8Array;
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

/**
 * Groups of commits up to this size are live writes, which are likely to be read next. Bulk is not
 * kept: a long transfer would drive everything else out of the cache, and live on as garbage.
 */
const LIVE_BYTES = 64 * 1024;

const NOWHERE: Location = { segment: 0, offset: 0, length: 0 };

function* wholeCids(table: CommitTable, count: number): Generator<CID> {
  for (let commit = 0; commit < count; commit++) if (!table.isHole(commit)) yield table.cid(commit);
}

function countHoles(table: CommitTable): number {
  let holes = 0;
  for (let commit = 0; commit < table.count; commit++) if (table.isHole(commit)) holes++;
  return holes;
}
