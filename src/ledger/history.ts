import type { CID } from 'multiformats/cid';
import { equalBytes, hex } from '../bytes.ts';
import { timeInMs } from './clock.ts';
import { findOperation, namesIn, type Operation } from './commit.ts';
import { decodeValue, type DocumentValue } from './document.ts';
import { fieldsWritten, type Documents, type FieldVersion } from './documents.ts';
import {
  asEdited,
  holderOf,
  isDeleted,
  locator,
  type EditedDocument,
  type Locator,
} from './merge.ts';

/** One writing of a document. */
export interface HistoryEntry {
  readonly commit: CID;
  /** When it was written, by the writer's hybrid clock, in milliseconds since 1970. */
  readonly time: number;
  /** The writer's id, in hexadecimal. */
  readonly writer: string;
  readonly deleted: boolean;
  /** The fields that it set, and the names of those that it removed. */
  readonly set: Readonly<Record<string, DocumentValue>>;
  readonly unset: readonly string[];
}

/** Concurrent versions of one field that differ; the first is the one that readers see. */
export interface FieldConflict {
  readonly kind: 'field';
  readonly field: string;
  readonly versions: readonly ConflictVersion[];
}

/** Concurrent deletes that an edit beat. */
export interface DeleteConflict {
  readonly kind: 'delete';
  readonly versions: readonly ConflictVersion[];
}

export type Conflict = FieldConflict | DeleteConflict;

export interface ConflictVersion {
  readonly commit: CID;
  readonly time: number;
  readonly writer: string;
  /** Undefined where the field was removed, and for deletes. */
  readonly value: DocumentValue | undefined;
}

/**
 * Every writing of a document, oldest first: from its newest operations down through the versions that
 * each superseded. Of commits that were dropped there is what survives of them.
 */
export async function historyOf(id: string, documents: Documents): Promise<HistoryEntry[]> {
  const state = documents.stateOf(id);
  if (state === undefined) return [];
  const { heads } = asEdited(state);
  const fields = await documents.fieldVersions(id);
  const seen = new Set(heads.map((head) => documents.versionOf(head.at)));
  for (const versions of fields.values()) for (const { commit } of versions) seen.add(commit);
  const pending = [...seen];
  const found: { commit: number; entry: HistoryEntry }[] = [];
  for (let commit = pending.pop(); commit !== undefined; commit = pending.pop()) {
    if (documents.table.isPruned(commit)) {
      const isDelete = heads.some(
        (head) => head.deleted && documents.versionOf(head.at) === commit,
      );
      const entry = survivingEntry(commit, fields, isDelete, documents);
      if (entry !== undefined) found.push({ commit, entry });
      continue;
    }
    if (documents.table.isHole(commit)) continue;
    const bytes = await documents.blocks.get(commit);
    const operation = findOperation(bytes, id);
    if (operation === undefined) continue;
    found.push({ commit, entry: entryOf(commit, bytes, operation, documents) });
    for (const name of namesIn(operation.replaces)) {
      const earlier = documents.table.find(name);
      if (earlier < 0 || seen.has(earlier)) continue;
      seen.add(earlier);
      pending.push(earlier);
    }
  }
  found.sort((a, b) => documents.compareVersions(a.commit, b.commit));
  return found.map(({ entry }) => entry);
}

/** What concurrent writers left for somebody to decide; empty for most documents. */
export async function conflictsOf(id: string, documents: Documents): Promise<Conflict[]> {
  const state = documents.stateOf(id);
  if (state === undefined || typeof state === 'number') return [];
  const conflicts: Conflict[] = [];
  const { heads } = state;
  const deletes = heads.filter((head) => head.deleted).map((head) => documents.versionOf(head.at));
  if (deletes.length > 0 && deletes.length < heads.length) {
    deletes.sort((a, b) => documents.compareVersions(b, a));
    const versions: ConflictVersion[] = [];
    for (const commit of deletes) versions.push(versionOf(commit, undefined, documents));
    conflicts.push({ kind: 'delete', versions });
  }
  for (const [field, surviving] of await documents.fieldVersions(id)) {
    const [winner, ...others] = surviving.map(({ value }) => value ?? NOTHING);
    if (others.every((value) => equalBytes(value, winner!))) continue;
    const versions: ConflictVersion[] = [];
    for (const { commit, value } of surviving) {
      versions.push(versionOf(commit, value && decodeValue(value), documents));
    }
    conflicts.push({ kind: 'field', field, versions });
  }
  return conflicts;
}

/** The documents, deleted ones left out, for which `conflictsOf` finds something; sorted. */
export async function conflictedIds(documents: Documents): Promise<string[]> {
  const suspects: [id: string, state: EditedDocument][] = [];
  for (const [id, state] of documents.states) {
    if (typeof state === 'number' || isDeleted(state)) continue;
    const { heads, fields } = state;
    const isSuspect = heads.some((head) => head.deleted) || [...fields.values()].some(isMany);
    if (isSuspect) suspects.push([id, state]);
  }
  const ids: string[] = [];
  for (const [id, state] of suspects) {
    if (!(await mayConflict(state, documents))) continue;
    if ((await conflictsOf(id, documents)).length > 0) ids.push(id);
  }
  return ids.sort();
}

/** False where nothing but the base stands beside a version, and does not write that field. */
async function mayConflict(
  { heads, base, fields }: EditedDocument,
  { blocks }: Documents,
): Promise<boolean> {
  if (base === undefined || heads.some((head) => head.deleted)) return true;
  const open = [...fields].filter(([, versions]) => isMany(versions));
  const written = fieldsWritten(base, await blocks.get(holderOf(base)));
  return open.some(([field, versions]) => {
    return written.has(field) || isMany(versions.filter((version) => version !== base));
  });
}

function isMany(versions: readonly Locator[]): boolean {
  return versions.length > 1;
}

function entryOf(
  commit: number,
  bytes: Uint8Array,
  operation: Operation,
  documents: Documents,
): HistoryEntry {
  const set: [string, DocumentValue][] = [];
  for (const [name, value] of fieldsWritten(locator(commit, operation.at), bytes)) {
    if (value !== undefined) set.push([name, decodeValue(value)]);
  }
  const { deleted, unset } = operation;
  return { ...originOf(commit, documents), deleted, set: Object.fromEntries(set), unset };
}

function survivingEntry(
  commit: number,
  fields: ReadonlyMap<string, readonly FieldVersion[]>,
  deleted: boolean,
  documents: Documents,
): HistoryEntry | undefined {
  const set: [string, DocumentValue][] = [];
  const unset: string[] = [];
  for (const [name, versions] of fields) {
    for (const version of versions) {
      if (version.commit !== commit) continue;
      if (version.value === undefined) unset.push(name);
      else set.push([name, decodeValue(version.value)]);
    }
  }
  if (!deleted && set.length + unset.length === 0) return undefined;
  return { ...originOf(commit, documents), deleted, set: Object.fromEntries(set), unset };
}

function originOf(
  commit: number,
  { table }: Documents,
): Pick<HistoryEntry, 'commit' | 'time' | 'writer'> {
  return {
    commit: table.cid(commit),
    time: timeInMs(table.time(commit)),
    writer: hex(table.writer(commit)),
  };
}

function versionOf(
  commit: number,
  value: DocumentValue | undefined,
  documents: Documents,
): ConflictVersion {
  return { ...originOf(commit, documents), value };
}

const NOTHING = new Uint8Array(0);
