import type { CID } from 'multiformats/cid';
import { blockOf, cidOfDigest, type Block, type MaybePromise } from '../blocks.ts';
import { bytesOf, compareBytes, equalBytes, keyOf } from '../bytes.ts';
import { DIGEST_BYTES } from '../sha256.ts';
import { BlockError } from '../errors.ts';
import type { Location, Log } from '../storage/log.ts';
import type { BlockCache } from './block-cache.ts';
import { advance, checkTime, nextTime, TICKS_PER_MS } from './clock.ts';
import {
  bringsNews,
  isPruned,
  isWithinSnapshot,
  mergeSnapshot,
  numberOfParent,
  rootsOf,
  type ClockState,
} from './clock-state.ts';
import { NOWHERE, type CommitTable } from './commit-table.ts';
import {
  commitDigest,
  encodeCommit,
  MAX_PARENTS,
  namesIn,
  readCommit,
  type Commit,
  type Dot,
} from './commit.ts';
import type { CausalContext } from './context.ts';
import type { Documents } from './documents.ts';
import { type Brought, type ParkedCommit, ParkedCommits } from './parked.ts';
import { readRoot } from './snapshot.ts';

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
  #state: ClockState;
  #holes = 0;
  #whole = 0;
  /** The number of our own latest commit; this writer's id is used by this opening alone. */
  #sequence = 0;
  #clock: readonly CID[] | undefined;
  /** Commits below this number are applied; those above it are being written. */
  #applied = 0;

  constructor(log: Log, parked: ParkedCommits, state: ClockState, options: CommitStoreOptions) {
    this.#log = log;
    this.#parked = parked;
    this.#options = options;
    this.#state = state;
    this.#count();
  }

  /** Begins anew with what the log was found to hold. */
  restart(state: ClockState): void {
    this.#state = state;
    this.#count();
  }

  get state(): ClockState {
    return this.#state;
  }

  get table(): CommitTable {
    return this.#state.table;
  }

  get cache(): BlockCache {
    return this.#state.cache;
  }

  /** True when some commits are here only within a snapshot. */
  get isPruned(): boolean {
    return isPruned(this.#state);
  }

  /** The heads, sorted by digest. */
  get clock(): readonly CID[] {
    this.#clock ??= [...this.#state.heads]
      .sort((a, b) => this.#state.table.compareDigests(a, b))
      .map((head) => this.#state.table.cid(head));
    return this.#clock;
  }

  /** How many commits are known by number: merged, or lost. */
  get count(): number {
    return this.#applied;
  }

  /** How many of them are here whole. */
  get blockCount(): number {
    return this.#whole;
  }

  /** How many commits are merged, as themselves or within a snapshot. */
  get mergedCount(): number {
    return this.isPruned ? this.#state.context.total : this.#applied - this.#holes;
  }

  /** The commits that the log has lost, by CID. */
  get missing(): CID[] {
    const missing: CID[] = [];
    if (this.#holes === 0) return missing;
    for (let commit = 0; commit < this.#applied; commit++) {
      if (this.#state.table.isHole(commit)) missing.push(this.#state.table.cid(commit));
    }
    return missing;
  }

  get parkedCount(): number {
    return this.#parked.size;
  }

  /** The number of an applied commit that is here whole; -1 for any other CID. */
  numberOf(cid: CID): number {
    const digest = commitDigest(cid);
    const commit = digest === undefined ? -1 : this.#state.table.find(digest);
    return commit >= 0 && commit < this.#applied && this.#state.table.isWhole(commit) ? commit : -1;
  }

  /** The number of a merged commit, whether its bytes are here or not; -1 for any other CID. */
  mergedNumberOf(cid: CID): number {
    const { table } = this.#state;
    const commit = table.find(commitDigest(cid) ?? NO_DIGEST);
    return commit >= 0 && commit < this.#applied && !table.isHole(commit) ? commit : -1;
  }

  /** True for a commit that is merged and known by its CID, whether its bytes are here or not. */
  isMerged(cid: CID): boolean {
    return this.mergedNumberOf(cid) >= 0;
  }

  /** True for applied and for parked commits that are here whole. */
  has(cid: CID): boolean {
    const digest = commitDigest(cid);
    return digest !== undefined && (this.numberOf(cid) >= 0 || this.#parked.has(digest));
  }

  /** True for a commit that would bring nothing: it is held, or merged within a snapshot. */
  isKnown(cid: CID, dot: Dot): boolean {
    return this.has(cid) || this.isMerged(cid) || isWithinSnapshot(this.#state, dot);
  }

  getBlock(cid: CID): MaybePromise<Uint8Array | undefined> {
    const commit = this.numberOf(cid);
    if (commit >= 0) return this.#state.cache.pass(commit);
    const digest = commitDigest(cid);
    if (digest === undefined) return undefined;
    const location = this.#snapshotPlace(digest);
    return location === undefined ? this.#parked.bytesOf(digest) : this.#log.read(location, cid);
  }

  /** Where a page or the root of a snapshot lies. */
  #snapshotPlace(digest: Uint8Array): Location | undefined {
    const { pages, loose, snapshots } = this.#state;
    const page = pages.find(digest);
    if (page !== undefined) return pages.location(page);
    const root = snapshots.find((snapshot) => equalBytes(snapshot.digest, digest));
    return root?.location ?? loose.get(keyOf(digest));
  }

  /** All applied commits by number, parents first; those that come after this call are not among them. */
  wholeCommits(): Generator<number> {
    return wholeCommits(this.#state.table, this.#applied);
  }

  /** The CIDs of `wholeCommits`. */
  cids(): Generator<CID> {
    return cidsOf(this.wholeCommits(), this.#state.table);
  }

  /** What the log holds of it all: the merged snapshots, pages before roots, then the commits. */
  async storedCids(): Promise<Iterable<CID>> {
    const commits = this.cids();
    const cids: CID[] = [];
    for (const { cid, root } of await rootsOf(this.#state, this.#log)) {
      cids.push(...root.pages.map((page) => cidOfDigest(page)), cid);
    }
    return [...cids, ...commits];
  }

  /**
   * What a side lacks that has these heads and all below them; undefined when one of them is not
   * known here, or when what is lacking was dropped here.
   */
  commitsSince(heads: readonly CID[]): number[] | undefined {
    const { table } = this.#state;
    const numbers = heads.map((head) => this.mergedNumberOf(head));
    if (numbers.includes(-1)) return undefined;
    const commits = table.notBelow(numbers, [...this.#state.heads]);
    if (commits.some((commit) => table.isPruned(commit))) return undefined;
    return commits.filter((commit) => table.isWhole(commit));
  }

  /**
   * What a side lacks that has merged what this context covers; undefined when some of that was
   * dropped here.
   */
  commitsBeyond(context: CausalContext): number[] | undefined {
    const { table } = this.#state;
    const commits: number[] = [];
    for (let commit = 0; commit < this.#applied; commit++) {
      if (table.isWhole(commit) && !context.covers(table.dot(commit))) commits.push(commit);
    }
    return commits.length < this.#state.context.beyond(context) ? undefined : commits;
  }

  // --- writing ---

  /**
   * Writes commits of our own, each on top of the one before, and applies them.
   * @param transactions the encoded operations of each commit
   * @throws StorageError; nothing is then written
   */
  write(transactions: readonly (readonly Uint8Array[])[], nowMs: number): MaybePromise<Applied[]> {
    const { table } = this.#state;
    const start = table.count;
    // The oldest heads first: with more than MAX_PARENTS the newest stay heads for the next commit.
    // Our own commits follow one another, as the context needs it.
    const { writer } = this.#options;
    const isOwn = (head: number): boolean => equalBytes(table.writer(head), writer);
    let parents = [...this.#state.heads]
      .sort((a, b) => Number(isOwn(b)) - Number(isOwn(a)) || a - b)
      .slice(0, MAX_PARENTS);
    let sequence = this.#sequence;
    const staged: Staged[] = [];
    try {
      for (const operations of transactions) {
        const named = parents
          .map((parent) => ({ digest: table.digest(parent), ...table.dot(parent) }))
          .sort((a, b) => compareBytes(a.digest, b.digest));
        const time = nextTime(
          nowMs,
          parents.map((parent) => table.time(parent)),
        );
        sequence++;
        const block = blockOf(encodeCommit(named, time, { writer, sequence }, operations));
        const commit = readCommit(block.bytes);
        staged.push({ block: { ...block, origin: undefined }, commit });
        parents = [table.add(commitDigest(block.cid)!, parents, time, commit, NOWHERE)];
      }
    } catch (error) {
      table.truncate(start);
      throw error;
    }
    const stored = this.#store(start, staged);
    if (!(stored instanceof Promise)) return this.#written(stored, sequence);
    return stored.then((applied) => this.#written(applied, sequence));
  }

  #written(applied: Applied[], sequence: number): Applied[] {
    this.#sequence = sequence;
    return applied;
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
    return time === Infinity ? Infinity : time / TICKS_PER_MS - this.#options.futureToleranceMs;
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
        const start = this.#state.table.count;
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

  async #childrenOf(commits: readonly Applied[], nowMs: number): Promise<Brought[]> {
    if (this.#parked.size === 0) return [];
    const ready = this.#readiness(nowMs);
    // By key, since one may have several parents among them.
    const blocks = new Map<string, Brought>();
    for (const { number } of commits) {
      const children = await this.#parked.readyChildren(this.#state.table.digest(number), ready);
      for (const child of children) blocks.set(keyOf(child.cid.multihash.digest), child);
    }
    return [...blocks.values()];
  }

  #readiness(nowMs: number): (commit: ParkedCommit) => boolean {
    const state = this.#state;
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
    const { table } = this.#state;
    const known = table.find(digest);
    const healed = known >= 0 && table.isHole(known) && known < this.#applied;
    if (known >= 0 && !healed) return 'held';
    if (source === 'sender' && this.#parked.has(digest)) return 'held';
    const commit = readCommit(block.bytes);
    // Within a snapshot we have it already.
    if (isWithinSnapshot(this.#state, commit)) return 'held';
    const parents = commit.parents.map((parent, i) =>
      numberOfParent(this.#state, parent, commit.parentDots[i]!),
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
      parents.map((parent) => this.#state.table.time(parent)),
    );
    // What was superseded before our snapshot was made has no name here any more.
    if (this.isPruned) return;
    for (const { id, replaces } of commit.operations) {
      for (const name of namesIn(replaces)) {
        if (this.#state.table.find(name) < 0) {
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
          this.#state.table.truncate(start);
          throw error;
        },
      );
    } catch (error) {
      this.#state.table.truncate(start);
      throw error;
    }
  }

  #apply(staged: readonly Staged[], locations: readonly Location[]): Applied[] {
    let bytes = 0;
    for (const { block } of staged) bytes += block.bytes.length;
    const applied = staged.map(({ block, commit }, index) => {
      const number = this.#state.table.find(commitDigest(block.cid)!);
      this.#state.table.setLocation(number, locations[index]!);
      if (number >= this.#applied) {
        advance(this.#state.heads, number, this.#state.table.parents(number));
      }
      this.#state.context.add(commit);
      if (bytes <= LIVE_BYTES) this.#state.cache.add(number, block.bytes);
      return { number, commit, bytes: block.bytes, cid: block.cid, origin: block.origin };
    });
    this.#applied = this.#state.table.count;
    this.#whole += applied.length;
    this.#clock = undefined;
    return applied;
  }

  // --- snapshots ---

  /** Stores pages, which count for nothing until the root comes that names them. */
  async addPages(pages: readonly Block[]): Promise<void> {
    const { state } = this;
    const fresh = pages.filter(({ cid }) => !this.hasPage(cid));
    const locations = await this.#log.append(fresh);
    fresh.forEach(({ cid }, i) => state.loose.set(keyOf(cid.multihash.digest), locations[i]!));
  }

  /** The pages that belong to no merged snapshot. */
  get loosePages(): CID[] {
    return [...this.#state.loose.keys()].map((key) => cidOfDigest(bytesOf(key)));
  }

  hasPage(cid: CID): boolean {
    const { digest } = cid.multihash;
    return this.#state.pages.has(digest) || this.#state.loose.has(keyOf(digest));
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
    if (!bringsNews(this.#state, root)) return undefined;
    const [location] = await this.#log.append([block]);
    const placed = { digest: block.cid.multihash.digest, location: location! };
    const ids = await mergeSnapshot(this.#state, documents, root, placed, this.#log);
    this.#count();
    return { ids, cids: [...root.pages.map((page) => cidOfDigest(page)), block.cid] };
  }

  #count(): void {
    const { table } = this.#state;
    this.#applied = table.count;
    this.#clock = undefined;
    this.#holes = 0;
    this.#whole = 0;
    for (let commit = 0; commit < table.count; commit++) {
      if (table.isHole(commit)) this.#holes++;
      if (table.isWhole(commit)) this.#whole++;
    }
  }
}

export interface CommitStoreOptions {
  readonly writer: Uint8Array;
  readonly futureToleranceMs: number;
}

interface Staged {
  readonly block: Brought;
  readonly commit: Commit;
}

/** A commit that became part of the clock. */
export interface Applied {
  readonly number: number;
  readonly cid: CID;
  readonly commit: Commit;
  readonly bytes: Uint8Array;
  /** Who brought it, though it may have waited since; undefined for what was written here. */
  readonly origin: object | undefined;
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

const NO_DIGEST = new Uint8Array(DIGEST_BYTES);

function* wholeCommits(table: CommitTable, count: number): Generator<number> {
  for (let commit = 0; commit < count; commit++) if (table.isWhole(commit)) yield commit;
}

function* cidsOf(commits: Iterable<number>, table: CommitTable): Generator<CID> {
  for (const commit of commits) yield table.cid(commit);
}
