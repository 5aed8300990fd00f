import type { CID } from 'multiformats/cid';
import { blockOf, cidOfDigest, type MaybePromise } from '../blocks.ts';
import { bytesOf, compareBytes, equalBytes, keyOf } from '../bytes.ts';
import { DIGEST_BYTES } from '../sha256.ts';
import type { Location, Log } from '../storage/log.ts';
import type { BlockCache } from './block-cache.ts';
import { advance, nextTime } from './clock.ts';
import { isPruned, isWithinSnapshot, type ClockState } from './clock-state.ts';
import { NOWHERE, type CommitTable } from './commit-table.ts';
import {
  commitDigest,
  encodeCommit,
  MAX_PARENTS,
  readCommit,
  type Commit,
  type Dot,
} from './commit.ts';
import type { CausalContext } from './context.ts';
import type { Brought, ParkedCommits } from './parked.ts';

/**
 * The Merkle clock over the log: which commits there are, which are its heads, and the only two ways
 * in, writing a commit of our own and receiving one from elsewhere (receiver.ts).
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
  /** What is held and cannot be applied yet; undefined until something has come from elsewhere. */
  parked: ParkedCommits | undefined;
  readonly #log: Log;
  readonly #writer: Uint8Array;
  #state: ClockState;
  #holes = 0;
  #whole = 0;
  /** The number of our own latest commit; this writer's id is used by this opening alone. */
  #sequence = 0;
  #clock: readonly CID[] | undefined;
  /** Commits below this number are applied; those above it are being written. */
  #applied = 0;

  /** @param writer under which our own commits are written */
  constructor(log: Log, state: ClockState, writer: Uint8Array) {
    this.#log = log;
    this.#writer = writer;
    this.#state = state;
    this.recount();
  }

  /** Begins anew with what the log was found to hold. */
  restart(state: ClockState): void {
    this.#state = state;
    this.recount();
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
    return this.parked?.size ?? 0;
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
    if (digest === undefined) return false;
    return this.numberOf(cid) >= 0 || (this.parked?.has(digest) ?? false);
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
    return location === undefined ? this.parked?.bytesOf(digest) : this.#log.read(location, cid);
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
    const writer = this.#writer;
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
        const { cid, bytes } = blockOf(encodeCommit(named, time, { writer, sequence }, operations));
        const commit = readCommit(bytes);
        staged.push({ block: { cid, bytes, origin: undefined }, commit });
        parents = [table.add(commitDigest(cid)!, parents, time, commit, NOWHERE)];
      }
    } catch (error) {
      table.truncate(start);
      throw error;
    }
    const stored = this.store(start, staged);
    if (!(stored instanceof Promise)) return this.#written(stored, sequence);
    return stored.then((applied) => this.#written(applied, sequence));
  }

  #written(applied: Applied[], sequence: number): Applied[] {
    this.#sequence = sequence;
    return applied;
  }

  /** Writes staged commits, numbered from `start`, and applies them. On failure none is left. */
  store(start: number, staged: readonly Staged[]): MaybePromise<Applied[]> {
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

  /** The pages that belong to no merged snapshot. */
  get loosePages(): CID[] {
    return [...this.#state.loose.keys()].map((key) => cidOfDigest(bytesOf(key)));
  }

  /** Takes note of what a merged snapshot has changed. */
  recount(): void {
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

/** A commit that has a number, and is not stored yet. */
export interface Staged {
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
