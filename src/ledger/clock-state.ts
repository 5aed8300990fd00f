import type { CID } from 'multiformats/cid';
import { cidOfDigest } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import { BlockError } from '../errors.ts';
import type { Location, Log } from '../storage/log.ts';
import type { BlockCache } from './block-cache.ts';
import { CommitTable, PRUNED } from './commit-table.ts';
import type { Dot } from './commit.ts';
import { CausalContext } from './context.ts';
import type { Documents } from './documents.ts';
import type { DocumentState } from './merge.ts';
import { PageTable } from './pages.ts';
import { mergePage, type LandedPage } from './snapshot-merge.ts';
import { readPage, readRoot, type PageEntry, type SnapshotRoot, type Version } from './snapshot.ts';

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

/** The roots of the merged snapshots, from the log. @throws StorageError */
export async function rootsOf(
  { snapshots }: ClockState,
  log: Log,
): Promise<{ readonly cid: CID; readonly root: SnapshotRoot }[]> {
  const roots: { cid: CID; root: SnapshotRoot }[] = [];
  for (const { digest, location } of snapshots) {
    const cid = cidOfDigest(digest);
    roots.push({ cid, root: readRoot(await log.read(location, cid)) });
  }
  return roots;
}

/** True when a snapshot covers commits that are not merged here. */
export function bringsNews({ context }: ClockState, root: SnapshotRoot): boolean {
  return root.context.beyond(context) > 0;
}

/**
 * Merges a snapshot that brings news and whose pages are in the log. When it fails, nothing has changed.
 * @param placed where the root is
 * @returns the ids of the documents that changed
 * @throws BlockError `malformed-snapshot`; StorageError
 */
export async function mergeSnapshot(
  state: ClockState,
  documents: Documents,
  root: SnapshotRoot,
  placed: ClockState['snapshots'][number],
  log: Log,
): Promise<string[]> {
  const { table, pages } = state;
  const [commits, pageCount] = [table.count, pages.count];
  const ours = state.context.copy();
  const changed: [string, DocumentState][] = [];
  const filled: (() => void)[] = [];
  let theirHeads: number[];
  const numberOf = (version: Version): number => {
    if (!root.context.covers(version)) throw malformed('a version that it does not cover');
    const known = table.find(version.digest);
    if (known < 0) return table.add(version.digest, [], version.time, version, PRUNED);
    // Until now it was only known as a parent whose bytes the log has lost.
    if (table.isHole(known)) {
      filled.push(() => table.fill(known, version.time, version, PRUNED));
    }
    return known;
  };
  try {
    let lastId: string | undefined;
    for (const digest of root.pages) {
      if (pages.has(digest)) continue;
      const at = state.loose.get(keyOf(digest));
      if (at === undefined) throw malformed('a page is missing');
      const bytes = await log.read(at, cidOfDigest(digest));
      const { versions, entries } = readPage(bytes);
      if (lastId !== undefined && entries[0]!.id <= lastId) throw malformed('pages out of order');
      lastId = entries.at(-1)!.id;
      const numbers = versions.map(numberOf);
      const number = pages.add({ digest, location: at, ...placesIn(entries, numbers) });
      const page: LandedPage = { number, bytes, entries, commits: numbers };
      changed.push(...(await mergePage(documents, page, ours, root.context)));
    }
    theirHeads = root.heads.map(numberOf);
  } catch (error) {
    table.truncate(commits);
    pages.truncate(pageCount);
    throw error;
  }
  for (const fill of filled) fill();
  mergeHeads(state, root, new Set(theirHeads), ours);
  documents.setStates(changed);
  state.context.merge(root.context);
  state.snapshots.push(placed);
  for (const digest of root.pages) state.loose.delete(keyOf(digest));
  return changed.map(([id]) => id);
}

function mergeHeads(
  { table, heads }: ClockState,
  root: SnapshotRoot,
  theirs: ReadonlySet<number>,
  ours: CausalContext,
): void {
  for (const head of heads) {
    if (!theirs.has(head) && root.context.covers(table.dot(head))) heads.delete(head);
  }
  for (const head of theirs) if (!ours.covers(table.dot(head))) heads.add(head);
}

function placesIn(
  entries: readonly PageEntry[],
  numbers: readonly number[],
): { offsets: Uint32Array; commits: Uint32Array } {
  const offsets: number[] = [];
  const commits: number[] = [];
  for (const { only, heads, writings } of entries) {
    for (const { at, version } of only === undefined ? [...heads, ...writings] : [only]) {
      offsets.push(at);
      commits.push(numbers[version]!);
    }
  }
  return { offsets: Uint32Array.from(offsets), commits: Uint32Array.from(commits) };
}

function malformed(what: string): BlockError {
  return new BlockError('malformed-snapshot', `malformed snapshot: ${what}`);
}
