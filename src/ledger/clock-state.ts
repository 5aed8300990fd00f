import type { Location } from '../storage/log.ts';
import type { BlockCache } from './block-cache.ts';
import { CommitTable, PRUNED } from './commit-table.ts';
import type { Dot } from './commit.ts';
import { CausalContext } from './context.ts';
import { PageTable } from './pages.ts';

/** What a ledger knows of its clock: its commits, its snapshots, and what they cover together. */
export interface ClockState {
  readonly table: CommitTable;
  readonly pages: PageTable;
  readonly cache: BlockCache;
  readonly heads: Set<number>;
  /** Exactly the commits that are merged. */
  readonly context: CausalContext;
  /** The roots of the snapshots that brought something, in the order in which they were merged. */
  readonly snapshots: { readonly digest: Uint8Array; readonly location: Location }[];
  /** Pages in the log that belong to no merged snapshot (yet), by digest. */
  readonly loose: Map<string, Location>;
}

/** The state of a ledger that holds nothing. */
export function emptyState(
  makeCache: (table: CommitTable, pages: PageTable) => BlockCache,
): ClockState {
  const table = new CommitTable();
  const pages = new PageTable();
  const cache = makeCache(table, pages);
  const context = new CausalContext();
  return { table, pages, cache, heads: new Set(), context, snapshots: [], loose: new Map() };
}

/** True when some commits are here only within a snapshot. */
export function isPruned({ snapshots }: ClockState): boolean {
  return snapshots.length > 0;
}

/** True when a commit, by its dot, is here at least within a snapshot. */
export function isWithinSnapshot(state: ClockState, dot: Dot): boolean {
  return isPruned(state) && state.context.covers(dot);
}

/** The number of a parent; of one that is here only within a snapshot, a new one. -1 if unknown. */
export function numberOfParent(state: ClockState, digest: Uint8Array, dot: Dot): number {
  const known = state.table.find(digest);
  if (known >= 0 || !isWithinSnapshot(state, dot)) return known;
  return state.table.add(digest, [], 0, dot, PRUNED);
}
