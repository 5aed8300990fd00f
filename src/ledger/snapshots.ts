import type { CID } from 'multiformats/cid';
import { cidOfDigest } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import { BlockError } from '../errors.ts';
import { type Log, type LogEntry, locationOf } from '../storage/log.ts';
import type { ClockState } from './clock-state.ts';
import { PRUNED } from './commit-table.ts';
import type { CausalContext } from './context.ts';
import type { Documents } from './documents.ts';
import type { DocumentState } from './merge.ts';
import { mergePage, type LandedPage } from './snapshot-merge.ts';
import { readPage, readRoot, type PageEntry, type SnapshotRoot, type Version } from './snapshot.ts';

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
 * Merges a snapshot whose root and pages are in the log; nothing happens when it brings no news.
 * @throws BlockError `malformed-snapshot`; StorageError
 */
export async function mergeStoredRoot(
  entry: LogEntry,
  state: ClockState,
  documents: Documents,
  log: Log,
): Promise<void> {
  const root = readRoot(entry.bytes);
  if (!bringsNews(state, root)) return;
  const placed = { digest: entry.cid.multihash.digest.slice(), location: locationOf(entry) };
  await mergeSnapshot(state, documents, root, placed, log);
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
