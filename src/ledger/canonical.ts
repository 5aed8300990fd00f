import type { Block, MaybePromise } from '../blocks.ts';
import { CborWriter } from '../cbor.ts';
import { DIGEST_BYTES, sha256 } from '../sha256.ts';
import { encodeSet } from './commit.ts';
import { type Documents, writingAt } from './documents.ts';
import { type DocumentState, holderOf, holdersOf } from './merge.ts';
import { PageWriter, type SnapshotEntry, writeEntry } from './snapshot.ts';

/*
 * The canonical form of documents: equal sets of commits give equal bytes, whatever the order in which
 * they came, and whether as commits or within a snapshot.
 */

/** How many bytes of documents a snapshot in the making holds in memory, about: 32 MiB. */
const READ_AHEAD_BYTES = 32 * 1024 * 1024;

/** Left empty by every use. */
const canonical = new CborWriter();

/** SHA-256 of all states. */
export async function digestOf(documents: Documents): Promise<Uint8Array> {
  const ids = sortedIds(documents);
  const hashes = new Uint8Array(ids.length * DIGEST_BYTES);
  for (const index of documents.inPlaceOrder(ids)) {
    hashes.set(await digestOfOne(ids[index]!, documents), index * DIGEST_BYTES);
  }
  return sha256(hashes);
}

/**
 * The states as the pages of a snapshot. They must not change while it runs.
 * @param meanBytes what a document takes, about: so many are read ahead as fit into some memory
 */
export async function* snapshotPages(
  documents: Documents,
  meanBytes: number,
): AsyncGenerator<Block> {
  const pages = new PageWriter((commit) => documents.table.version(commit));
  const ids = sortedIds(documents);
  const ahead = Math.min(65_536, Math.max(256, Math.floor(READ_AHEAD_BYTES / (meanBytes + 1))));
  for (let from = 0; from < ids.length; from += ahead) {
    const part = ids.slice(from, from + ahead);
    const entries: SnapshotEntry[] = Array.from({ length: part.length });
    for (const index of documents.inPlaceOrder(part)) {
      const entry = entryOf(part[index]!, documents);
      entries[index] = entry instanceof Promise ? await entry : entry;
    }
    for (const entry of entries) {
      const page = pages.add(entry);
      if (page !== undefined) yield page;
    }
  }
  const last = pages.end();
  if (last !== undefined) yield last;
}

function sortedIds(documents: Documents): string[] {
  return documents.allIds().sort();
}

/** SHA-256 of a state's canonical bytes: the names of its versions, ascending, then its entry. */
async function digestOfOne(id: string, documents: Documents): Promise<Uint8Array> {
  const { table } = documents;
  const made = entryOf(id, documents);
  const entry = made instanceof Promise ? await made : made;
  const commits = new Set(entry.heads.map((head) => head.commit));
  for (const { commit } of entry.writings) commits.add(commit);
  const sorted = [...commits].sort((a, b) => table.compareDigests(a, b));
  for (const commit of sorted) canonical.raw(table.name(commit));
  writeEntry(canonical, entry, (commit) => sorted.indexOf(commit));
  return sha256(canonical.finishView());
}

/** A state with its values. */
function entryOf(id: string, documents: Documents): MaybePromise<SnapshotEntry> {
  const state = documents.stateOf(id)!;
  const blocks = documents.blocks.getAll(holdersOf(state));
  if (!(blocks instanceof Promise)) return entryFrom(id, state, blocks, documents);
  return blocks.then((loaded) => entryFrom(id, state, loaded, documents));
}

function entryFrom(
  id: string,
  state: DocumentState,
  blocks: ReadonlyMap<number, Uint8Array>,
  documents: Documents,
): SnapshotEntry {
  const { versionOf } = documents;
  if (typeof state === 'number') {
    const bytes = blocks.get(holderOf(state))!;
    const { setAt, setEnd, unset } = writingAt(state, bytes);
    const commit = versionOf(state);
    const set = bytes.subarray(setAt, setEnd);
    const writings = set.length > 1 || unset.length > 0 ? [{ commit, set, unset }] : [];
    return { id, heads: [{ commit, deleted: false }], writings };
  }
  const byCommit = new Map<number, { set: [string, Uint8Array][]; unset: string[] }>();
  for (const [field, versions] of documents.versionsIn(state, blocks)) {
    for (const { commit, value } of versions) {
      const written = byCommit.get(commit) ?? { set: [], unset: [] };
      byCommit.set(commit, written);
      if (value === undefined) written.unset.push(field);
      else written.set.push([field, value]);
    }
  }
  return {
    id,
    heads: state.heads.map(({ at, deleted }) => ({ commit: versionOf(at), deleted })),
    writings: [...byCommit].map(([commit, { set, unset }]) => ({
      commit,
      set: encodeSet(set),
      unset,
    })),
  };
}
