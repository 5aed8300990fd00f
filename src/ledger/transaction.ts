import { concatBytes, equalBytes, MAX_BLOCK_BYTES, type MaybePromise } from '../blocks.ts';
import { DocumentError } from '../errors.ts';
import type { CommitTable } from './commit-table.ts';
import { encodeDelete, encodePatch, encodePut, fieldSpans, MAX_REPLACES } from './commit.ts';
import type { EncodedDocument } from './document.ts';
import type { Documents, FieldVersion } from './documents.ts';
import { asEdited, isDeleted, type DocumentState } from './merge.ts';

/** Commits are cut when their operations pass this many bytes: 64 KiB. */
export const TARGET_COMMIT_BYTES: number = 64 * 1024;

/** What a commit needs beside its operations, at most: 1024 parents and its frame. */
const COMMIT_OVERHEAD_BYTES = 64 * 1024;

export type Write =
  | {
      readonly kind: 'put';
      readonly id: string;
      readonly document: EncodedDocument;
      /** Whether concurrent versions are settled in favour of this document. */
      readonly resolve: boolean;
    }
  | { readonly kind: 'delete'; readonly id: string };

/**
 * The operation that takes the stored document to what a write says: the fields that differ, and the
 * versions that this supersedes. Undefined when there is nothing to change.
 * @throws DocumentError `document-too-large`
 */
export function operationFor(
  write: Write,
  documents: Documents,
): MaybePromise<Uint8Array | undefined> {
  const { id } = write;
  const state = documents.stateOf(id);
  if (write.kind === 'delete') {
    if (state === undefined || isDeleted(state)) return undefined;
    const heads = headCommits(state, documents).slice(0, MAX_REPLACES);
    return encodeDelete(id, namesOf(heads, documents.table));
  }
  if (state === undefined) return encodePut(id, NO_NAMES, write.document.bytes);
  return patchFor(write, state, documents);
}

async function patchFor(
  { id, document: { bytes }, resolve }: Extract<Write, { kind: 'put' }>,
  state: DocumentState,
  documents: Documents,
): Promise<Uint8Array | undefined> {
  const stored = await documents.fieldVersions(id);
  const deleted = isDeleted(state);
  const differs = (name: string, value: Uint8Array | undefined): boolean => {
    const versions = stored.get(name) ?? [];
    if (resolve && versions.length > 1) return true;
    const winner = versions[0]?.value;
    if (value === undefined) return winner !== undefined;
    return deleted || winner === undefined || !equalBytes(winner, value);
  };
  const spans = fieldSpans(bytes);
  const set = spans.filter(({ name, valueAt, end }) => differs(name, bytes.subarray(valueAt, end)));
  const names = new Set(spans.map((span) => span.name));
  const unset = [...stored.keys()].filter((name) => !names.has(name) && differs(name, undefined));
  const heads = headCommits(state, documents);
  const settles = resolve && heads.length > 1;
  if (set.length === 0 && unset.length === 0 && !deleted && !settles) return undefined;

  const changed = [...set.map((span) => span.name), ...unset];
  const replaced = new Set([...heads, ...changed.flatMap((name) => commitsIn(stored.get(name)))]);
  const replaces = namesOf([...replaced].slice(0, MAX_REPLACES), documents.table);
  const operation = encodePatch(id, replaces, bytes, set, unset);
  checkSize(id, operation);
  return operation;
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

function checkSize(id: string, operation: Uint8Array): void {
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
