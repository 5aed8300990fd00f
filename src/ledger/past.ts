import { equalBytes } from '../bytes.ts';
import type { Log } from '../storage/log.ts';
import { turns } from '../turn.ts';
import type { ClockState } from './clock-state.ts';
import { advance } from './clock.ts';
import { CommitSet } from './commit-table.ts';
import { readCommit } from './commit.ts';
import { CausalContext } from './context.ts';
import { Documents } from './documents.ts';
import { mergePage } from './snapshot-merge.ts';
import { rootsOf } from './snapshots.ts';
import { readPage, type SnapshotRoot } from './snapshot.ts';

/** The documents below some commits, which are all below these heads. */
interface Waypoint {
  readonly heads: ReadonlySet<number>;
  readonly documents: Documents;
  readonly weight: number;
}

/** Waypoints are kept while they have so many places of writings together: some 20 MB. */
const MAX_WEIGHT = 250_000;

/** A long way leaves about so many waypoints, ... */
const WAYPOINTS = 8;
/** ... which are so many commits apart at least. */
const LEAST_STEP = 64;

/**
 * The documents as they were. Each reading of the past leaves waypoints, from the nearest of which the
 * next one begins: who drags through time merges each commit about once.
 */
export class Past {
  readonly state: ClockState;
  readonly #log: Log;
  /** The one used last is the last. */
  #waypoints: Waypoint[] = [];
  /** How many snapshots were merged when the waypoints were left. */
  #snapshots = 0;

  constructor(state: ClockState, log: Log) {
    this.state = state;
    this.#log = log;
  }

  /**
   * The documents that the commits at or below these add up to, by number; undefined when some of
   * those commits were dropped.
   * @throws StorageError
   */
  async documentsBelow(heads: readonly number[]): Promise<Documents | undefined> {
    const { table, cache } = this.state;
    const below = table.ancestors(heads);
    const roots = await this.#roots();
    if (this.#tips(roots).some((tip) => !below.has(tip))) return undefined;
    const covered = new CausalContext();
    for (const { context } of roots) covered.merge(context);

    const nearest = this.#nearest(below, roots.length);
    const reached = new Set(nearest?.heads);
    const missing = table.notBelow([...reached], heads);
    if (nearest !== undefined && missing.length === 0) return nearest.documents;
    const documents = nearest?.documents.frozen() ?? (await this.#snapshotDocuments(roots));
    // In order of their times, the way leads through what was there at each moment.
    missing.sort((a, b) => table.time(a) - table.time(b) || a - b);
    const step = Math.max(LEAST_STEP, Math.ceil(missing.length / WAYPOINTS));
    const turn = turns();
    for (const [index, commit] of missing.entries()) {
      const wait = turn();
      if (wait !== undefined) await wait;
      advance(reached, commit, table.parents(commit));
      if (table.isWhole(commit) && !covered.covers(table.dot(commit))) {
        const block = cache.pass(commit);
        const bytes = block instanceof Promise ? await block : block;
        documents.apply(commit, readCommit(bytes), bytes);
      }
      if (index % step === step - 1) this.#leave(reached, documents.frozen(), roots.length);
    }
    this.#leave(reached, documents, roots.length);
    return documents;
  }

  /** The heads of all commits of times before this one; undefined when some of them were dropped. */
  async headsBefore(time: number, count: number): Promise<number[] | undefined> {
    const { table } = this.state;
    const roots = await this.#roots();
    if (roots.some((root) => root.heads.some((head) => head.time >= time))) return undefined;
    const superseded = new CommitSet(count);
    for (let commit = 0; commit < count; commit++) {
      if (table.time(commit) >= time) continue;
      for (const parent of table.parents(commit)) superseded.add(parent);
    }
    const tips = new Set(this.#tips(roots));
    const heads: number[] = [];
    for (let commit = 0; commit < count; commit++) {
      if (table.time(commit) >= time || superseded.has(commit)) continue;
      if (tips.has(commit) || (table.isWhole(commit) && !this.#isWithin(commit, roots))) {
        heads.push(commit);
      }
    }
    return heads.sort((a, b) => table.compareDigests(a, b));
  }

  /**
   * The heads of the snapshots without those that lie below others of them. Who has these below has
   * all that the snapshots stand for.
   */
  #tips(roots: readonly SnapshotRoot[]): number[] {
    const { table } = this.state;
    const heads = roots.flatMap((root) => root.heads.map(({ digest }) => table.find(digest)));
    return heads.filter((head) => !this.#isWithin(head, roots));
  }

  /** True for what lies below the heads of a snapshot; the way up to them may have been dropped. */
  #isWithin(commit: number, roots: readonly SnapshotRoot[]): boolean {
    const { table } = this.state;
    const [dot, digest] = [table.dot(commit), table.digest(commit)];
    return roots.some(
      ({ context, heads }) =>
        context.covers(dot) && !heads.some((head) => equalBytes(head.digest, digest)),
    );
  }

  async #roots(): Promise<SnapshotRoot[]> {
    return (await rootsOf(this.state, this.#log)).map(({ root }) => root);
  }

  /** What the snapshots add up to without any commit. */
  async #snapshotDocuments(roots: readonly SnapshotRoot[]): Promise<Documents> {
    const { table, pages, cache } = this.state;
    const documents = new Documents(table, pages, cache);
    const merged = new CausalContext();
    const seen = new Set<number>();
    for (const { pages: digests, context } of roots) {
      const changed = [];
      for (const digest of digests) {
        const number = pages.find(digest)!;
        if (seen.has(number)) continue;
        seen.add(number);
        const bytes = await cache.pass(number);
        const { versions, entries } = readPage(bytes);
        const commits = versions.map((version) => table.find(version.digest));
        const page = { number, bytes, entries, commits };
        changed.push(...(await mergePage(documents, page, merged, context)));
      }
      documents.setStates(changed);
      merged.merge(context);
    }
    return documents;
  }

  // --- waypoints ---

  /** That of the most recent time among those that have nothing but these commits below their heads. */
  #nearest(commits: CommitSet, snapshots: number): Waypoint | undefined {
    const { table } = this.state;
    if (snapshots !== this.#snapshots) this.#waypoints = [];
    this.#snapshots = snapshots;
    let nearest: Waypoint | undefined;
    let latest = -1;
    for (const waypoint of this.#waypoints) {
      const heads = [...waypoint.heads];
      if (!heads.every((head) => commits.has(head))) continue;
      const time = Math.max(0, ...heads.map((head) => table.time(head)));
      if (time > latest) [nearest, latest] = [waypoint, time];
    }
    if (nearest !== undefined) this.#keep(nearest);
    return nearest;
  }

  /** Nobody changes the documents from now on. */
  #leave(reached: ReadonlySet<number>, documents: Documents, snapshots: number): void {
    // One that was merged meanwhile is not in these documents.
    if (snapshots !== this.#snapshots) return;
    this.#keep({ heads: new Set(reached), documents, weight: documents.placeCount });
  }

  #keep(waypoint: Waypoint): void {
    const others = this.#waypoints.filter((other) => !isSame(other.heads, waypoint.heads));
    this.#waypoints = [...others, waypoint];
    let weight = 0;
    for (const each of this.#waypoints) weight += each.weight;
    while (weight > MAX_WEIGHT) weight -= this.#waypoints.shift()!.weight;
  }
}

function isSame(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  if (a.size !== b.size) return false;
  for (const item of a) if (!b.has(item)) return false;
  return true;
}
