import { MAX_BLOCK_BYTES, type MaybePromise } from '../blocks.ts';
import { concatBytes, equalBytes } from '../bytes.ts';
import { DocumentError } from '../errors.ts';
import type { CommitTable } from './commit-table.ts';
import {
  encodeDelete,
  encodePatch,
  encodePut,
  encodeSet,
  fieldSpans,
  MAX_REPLACES,
} from './commit.ts';
import { checkSize, type EncodedDocument } from './document.ts';
import type { Documents, FieldVersion } from './documents.ts';
import { asEdited, isDeleted, type DocumentState } from './merge.ts';

/** Commits are cut when their operations pass this many bytes: 64 KiB. */
export const TARGET_COMMIT_BYTES: number = 64 * 1024;

/** What a commit needs beside its operations, at most: 1024 parents and its frame. */
const COMMIT_OVERHEAD_BYTES = 64 * 1024;

export type Write = FieldsWrite | { readonly kind: 'delete'; readonly id: string };

/** What a document holds from now on, or some of its fields. */
interface FieldsWrite {
  readonly kind: 'put' | 'patch';
  readonly id: string;
  readonly document: EncodedDocument;
  /** Whether concurrent versions are settled in favour of these fields, or in favour of which. */
  readonly resolve: boolean | ReadonlySet<string>;
}

/** One write in place of two of the same document, of which the later one builds on the earlier. */
export function combined(earlier: Write | undefined, later: Write): Write {
  if (earlier === undefined || later.kind === 'delete') return later;
  if (earlier.kind === 'delete') return { ...later, kind: 'put' };
  const resolve = combinedResolve(earlier, later);
  if (later.kind === 'put') return { ...later, resolve };
  const fields = new Map<string, Uint8Array>();
  for (const { bytes } of [earlier.document, later.document]) {
    for (const { name, valueAt, end } of fieldSpans(bytes)) {
      fields.set(name, bytes.subarray(valueAt, end));
    }
  }
  const { id } = later;
  return { kind: earlier.kind, id, document: { id, bytes: encodeSet([...fields]) }, resolve };
}

/** What either of them settles stays settled. */
function combinedResolve(earlier: FieldsWrite, later: FieldsWrite): FieldsWrite['resolve'] {
  const writes = [earlier, later];
  if (writes.some(({ kind, resolve }) => kind === 'put' && resolve === true)) return true;
  const names = new Set(
    writes.flatMap(({ document, resolve }) => {
      if (typeof resolve !== 'boolean') return [...resolve];
      return resolve ? fieldSpans(document.bytes).map(({ name }) => name) : [];
    }),
  );
  return names.size > 0 && names;
}

/**
 * The operation that takes the stored document to what a write says: the fields that differ, and the
 * versions that this supersedes. Undefined when there is nothing to change.
 * @throws DocumentError `document-too-large`
 */
export function operationFor(
  write: Write,
  documents: Documents,
  maxDocumentBytes: number,
): MaybePromise<Uint8Array | undefined> {
  const { id } = write;
  const state = documents.stateOf(id);
  if (write.kind === 'delete') {
    if (state === undefined || isDeleted(state)) return undefined;
    const heads = headCommits(state, documents).slice(0, MAX_REPLACES);
    return encodeDelete(id, namesOf(heads, documents.table));
  }
  // Each of the writes that were combined was small enough.
  checkSize(id, write.document.bytes.length, maxDocumentBytes);
  if (state === undefined) return encodePut(id, NO_NAMES, write.document.bytes);
  return changeFor(write, state, documents, maxDocumentBytes);
}

async function changeFor(
  { kind, id, document: { bytes }, resolve }: FieldsWrite,
  state: DocumentState,
  documents: Documents,
  maxDocumentBytes: number,
): Promise<Uint8Array | undefined> {
  const deleted = isDeleted(state);
  // Where there is no document, a patch makes one.
  const isWhole = kind === 'put' || deleted;
  const spans = fieldSpans(bytes);
  const names = new Set(spans.map((span) => span.name));
  if (!isWhole) await checkGrowth(id, bytes, state, documents, maxDocumentBytes);
  const stored = await documents.fieldVersions(id, isWhole ? undefined : names);
  const differs = (name: string, value: Uint8Array | undefined): boolean => {
    const versions = stored.get(name) ?? [];
    const settles = typeof resolve === 'boolean' ? resolve : resolve.has(name);
    if (settles && versions.length > 1) return true;
    const winner = versions[0]?.value;
    if (value === undefined) return winner !== undefined;
    return deleted || winner === undefined || !equalBytes(winner, value);
  };
  const set = spans.filter(({ name, valueAt, end }) => differs(name, bytes.subarray(valueAt, end)));
  const unset = [...stored.keys()].filter((name) => !names.has(name) && differs(name, undefined));
  const heads = headCommits(state, documents);
  const settles = kind === 'put' && resolve === true && heads.length > 1;
  if (set.length === 0 && unset.length === 0 && !deleted && !settles) return undefined;

  const changed = [...set.map((span) => span.name), ...unset];
  const replaced = new Set([...heads, ...changed.flatMap((name) => commitsIn(stored.get(name)))]);
  const replaces = namesOf([...replaced].slice(0, MAX_REPLACES), documents.table);
  const operation = encodePatch(id, replaces, bytes, set, unset);
  checkOperation(id, operation);
  return operation;
}

/**
 * Keeps patches, each of them small, from adding up to a document beyond the limit. One that others
 * have brought beyond it may still become smaller.
 * @throws DocumentError `document-too-large`
 */
async function checkGrowth(
  id: string,
  patch: Uint8Array,
  state: DocumentState,
  documents: Documents,
  maxDocumentBytes: number,
): Promise<void> {
  if (documents.boundOf(state) + patch.length <= maxDocumentBytes) return;
  const fields = new Map<string, Uint8Array>();
  for (const [name, [winner]] of await documents.fieldVersions(id)) {
    if (winner?.value !== undefined) fields.set(name, winner.value);
  }
  const before = encodeSet([...fields]).length;
  for (const { name, valueAt, end } of fieldSpans(patch)) {
    fields.set(name, patch.subarray(valueAt, end));
  }
  const after = encodeSet([...fields]).length;
  if (after > before) checkSize(id, after, maxDocumentBytes);
}

/** Splits operations into commits of bounded size, in order. */
export function cutCommits(operations: readonly Uint8Array[]): Uint8Array[][] {
  const commits: Uint8Array[][] = [];
  let current: Uint8Array[] = [];
  let bytes = 0;
  for (const operation of operations) {
    const size = operation.length;
    if (current.length > 0 && bytes + size > TARGET_COMMIT_BYTES) {
      commits.push(current);
      current = [];
      bytes = 0;
    }
    current.push(operation);
    bytes += size;
  }
  if (current.length > 0) commits.push(current);
  return commits;
}

function checkOperation(id: string, operation: Uint8Array): void {
  const limit = MAX_BLOCK_BYTES - COMMIT_OVERHEAD_BYTES;
  if (operation.length <= limit) return;
  throw new DocumentError(
    'document-too-large',
    `the change of document '${id}', with the names of the fields that it removes, has more than ${limit} bytes`,
  );
}

function headCommits(state: DocumentState, documents: Documents): number[] {
  return asEdited(state).heads.map((head) => documents.versionOf(head.at));
}

function commitsIn(versions: readonly FieldVersion[] = []): number[] {
  return versions.map((version) => version.commit);
}

function namesOf(commits: readonly number[], table: CommitTable): Uint8Array {
  return concatBytes(commits.map((commit) => table.name(commit)));
}

const NO_NAMES = new Uint8Array(0);
