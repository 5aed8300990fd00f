import { CID } from 'multiformats/cid';
import { MAX_BLOCK_BYTES } from '../blocks.ts';
import { compareBytes, equalBytes } from '../bytes.ts';
import { BlockError } from '../errors.ts';
import {
  CborCursor,
  CborWriter,
  compareKeys,
  isSha256DagCbor,
  MAJOR_LIST,
  MAJOR_MAP,
  MAJOR_UNSIGNED,
  malformed,
} from '../cbor.ts';
import { MAX_ID_BYTES } from './document.ts';

/**
 * A commit: one transaction as one dag-cbor block.
 *
 *   { data: [version, time, writer, [operation, …], [sequence, dot, …], signature?],
 *     parents: [link, …] }
 *
 * A writer numbers its commits from 1. Writer and sequence are a commit's dot ("Dotted Version
 * Vectors", Preguiça et al., 2010); after the sequence come the dots of the parents, in their order:
 * the sequence alone for the same writer, else [writer, sequence]. By them a ledger whose history was
 * dropped still knows whether it has merged a parent (context.ts).
 *
 * An operation writes one document:
 *
 *   [id, replaces, set]            put: these fields
 *   [id, replaces, set, unset]     put, and these field names removed
 *   [id, replaces]                 delete
 *
 * `replaces` is a byte string of version names, 16 bytes each: the first half of the digest of a commit
 * whose writing of this document the writer had seen and now supersedes. Merging needs nothing else.
 */

export const COMMIT_VERSION = 1;

/** A commit names at most this many heads; further heads stay heads until a later commit. */
export const MAX_PARENTS = 1024;

/** How many bytes of a commit's digest name it in `replaces`. */
export const NAME_BYTES = 16;

/** One operation supersedes at most this many versions. */
export const MAX_REPLACES = 4096;

export const MAX_WRITER_BYTES = 64;

/** The greatest sequence number. */
export const MAX_SEQUENCE: number = 2 ** 32 - 1;

const MAX_SIGNATURE_BYTES = 128;

/** `[id, replaces]`, with what follows still in the bytes it was read from. */
export interface Operation {
  readonly id: string;
  /** Where the operation begins in its commit. */
  readonly at: number;
  /** Version names, NAME_BYTES each. */
  readonly replaces: Uint8Array;
  readonly deleted: boolean;
  /** Where the map of the fields set begins and ends; 0 for a delete. */
  readonly setAt: number;
  readonly setEnd: number;
  readonly unset: readonly string[];
}

/** Names one commit of one writer. */
export interface Dot {
  readonly writer: Uint8Array;
  readonly sequence: number;
}

export interface Commit extends Dot {
  /** The digests (32 bytes) of the parents, ascending. */
  readonly parents: readonly Uint8Array[];
  /** The dots of the parents, in their order. */
  readonly parentDots: readonly Dot[];
  /** Hybrid logical time: see clock.ts. */
  readonly time: number;
  readonly operations: readonly Operation[];
}

/** Where a field lies in encoded bytes: its key item, its value, and the end of the value. */
export interface FieldSpan {
  readonly name: string;
  readonly keyAt: number;
  readonly valueAt: number;
  readonly end: number;
}

const NO_NAMES: readonly string[] = [];
const DATA_KEY = Uint8Array.of(0x64, 0x64, 0x61, 0x74, 0x61);
const PARENTS_KEY = Uint8Array.of(0x67, 0x70, 0x61, 0x72, 0x65, 0x6e, 0x74, 0x73);
const ID_KEY = Uint8Array.of(0x63, 0x5f, 0x69, 0x64);
const NO_FIELDS: readonly string[] = ['_id', '__proto__'];
const TWO_KEYS = Uint8Array.of(0xa2);
const LINK_HEAD = Uint8Array.of(0xd8, 42, 0x58, 37, 0, 1, 0x71, 0x12, 32);

// --- reading ---

/**
 * Reads and checks a whole commit; values stay encoded.
 * @throws BlockError `malformed-commit` or `block-too-large`
 */
export function readCommit(bytes: Uint8Array): Commit {
  if (bytes.length > MAX_BLOCK_BYTES) {
    throw new BlockError('block-too-large', `a commit has at most ${MAX_BLOCK_BYTES} bytes`);
  }
  const cursor = new CborCursor(bytes);
  if (cursor.readHead(MAJOR_MAP) !== 2) throw malformed('a commit has two keys', 0);
  expectItem(cursor, DATA_KEY);
  const dataAt = cursor.at;
  const parts = cursor.readHead(MAJOR_LIST);
  const version = cursor.readHead(MAJOR_UNSIGNED);
  if (version !== COMMIT_VERSION) {
    throw malformed(`version ${version} where ${COMMIT_VERSION} is known`, dataAt);
  }
  if (parts !== 5 && parts !== 6) throw malformed('data has five or six parts', dataAt);
  const time = cursor.readHead(MAJOR_UNSIGNED);
  const writer = readWriter(cursor);
  const operations = readOperations(cursor);
  const { sequence, parentDots } = readDots(cursor, writer);
  if (parts === 6 && cursor.readBytes().length > MAX_SIGNATURE_BYTES) {
    throw malformed(`a signature has at most ${MAX_SIGNATURE_BYTES} bytes`, cursor.at);
  }
  expectItem(cursor, PARENTS_KEY);
  const parents = readParents(cursor);
  if (cursor.at !== bytes.length) throw malformed('bytes after the commit', cursor.at);
  if (parents.length !== parentDots.length) {
    throw malformed('not as many dots as parents', dataAt);
  }
  return { parents, parentDots, time, writer, sequence, operations };
}

/** Consumes a writer's id. @throws BlockError `malformed-commit` */
export function readWriter(cursor: CborCursor): Uint8Array {
  const writer = cursor.readBytes();
  if (writer.length === 0 || writer.length > MAX_WRITER_BYTES) {
    throw malformed(`a writer has 1 to ${MAX_WRITER_BYTES} bytes`, cursor.at);
  }
  return writer;
}

/** Consumes a sequence number. @throws BlockError `malformed-commit` */
export function readSequence(cursor: CborCursor): number {
  const sequence = cursor.readHead(MAJOR_UNSIGNED);
  if (sequence === 0 || sequence > MAX_SEQUENCE) {
    throw malformed(`a sequence number is 1 to ${MAX_SEQUENCE}`, cursor.at);
  }
  return sequence;
}

/** Reads the operation at `at` of a commit that was checked before. */
export function readOperation(commit: Uint8Array, at: number): Operation {
  return operationAt(new CborCursor(commit, at));
}

/** The fields of a dag-cbor map of text keys that begins at `at`. */
export function fieldSpans(bytes: Uint8Array, at = 0): FieldSpan[] {
  const spans: FieldSpan[] = [];
  new CborCursor(bytes, at).skipMap(0, (keyAt, valueAt, end) => {
    spans.push({ name: new CborCursor(bytes, keyAt).readText(), keyAt, valueAt, end });
  });
  return spans;
}

/** The operation for document `id` in a checked commit, if there is one. */
export function findOperation(commit: Uint8Array, id: string): Operation | undefined {
  return readCommit(commit).operations.find((operation) => operation.id === id);
}

function readOperations(cursor: CborCursor): Operation[] {
  const start = cursor.at;
  const count = cursor.readHead(MAJOR_LIST);
  if (count === 0) throw malformed('a commit without operations', start);
  const operations: Operation[] = [];
  const ids = new Set<string>();
  for (let i = 0; i < count; i++) {
    const operation = operationAt(cursor);
    operations.push(operation);
    ids.add(operation.id);
    if (ids.size !== operations.length) {
      throw malformed('two operations on one document', operation.at);
    }
  }
  return operations;
}

function operationAt(cursor: CborCursor): Operation {
  const at = cursor.at;
  const parts = cursor.readHead(MAJOR_LIST);
  if (parts < 2 || parts > 4) throw malformed('an operation has two to four parts', at);
  const idAt = cursor.at;
  const id = readId(cursor);
  const replaces = cursor.readBytes();
  if (replaces.length % NAME_BYTES !== 0 || replaces.length > MAX_REPLACES * NAME_BYTES) {
    throw malformed(`replaces has up to ${MAX_REPLACES} names`, idAt);
  }
  if (parts === 2) return { id, at, replaces, deleted: true, setAt: 0, setEnd: 0, unset: NO_NAMES };
  const { setAt, setEnd } = readSet(cursor);
  const unset = parts === 4 ? readUnset(cursor, setAt) : NO_NAMES;
  return { id, at, replaces, deleted: false, setAt, setEnd, unset };
}

/** Consumes a document's id. @throws BlockError `malformed-commit`, as the next two */
export function readId(cursor: CborCursor): string {
  const start = cursor.at;
  const id = cursor.readText();
  if (id === '' || (id.length > MAX_ID_BYTES / 3 && cursor.at - start > MAX_ID_BYTES + 3)) {
    throw malformed(`an id has 1 to ${MAX_ID_BYTES} bytes`, start);
  }
  return id;
}

/** Consumes a map of fields and tells where it lies. */
export function readSet(cursor: CborCursor): { setAt: number; setEnd: number } {
  const setAt = cursor.at;
  cursor.skipMap(0, (keyAt, valueAt) => {
    if (compareBytes(cursor.bytes.subarray(keyAt, valueAt), ID_KEY) === 0) {
      throw malformed('a field called _id', keyAt);
    }
  });
  return { setAt, setEnd: cursor.at };
}

/** Consumes the names of fields that are removed; none may be in the map at `setAt`. */
export function readUnset(cursor: CborCursor, setAt: number): string[] {
  const start = cursor.at;
  const names: string[] = [];
  for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) names.push(cursor.readText());
  if (names.length === 0) throw malformed('an empty list of fields to unset', start);
  if (names.some((name) => NO_FIELDS.includes(name))) {
    throw malformed('a field that no document may have', start);
  }
  const all = new Set(names);
  for (const { name } of fieldSpans(cursor.bytes, setAt)) all.add(name);
  const set = new CborCursor(cursor.bytes, setAt).readHead(MAJOR_MAP);
  if (all.size !== names.length + set) throw malformed('a field named twice', start);
  return names;
}

function readDots(cursor: CborCursor, author: Uint8Array): { sequence: number; parentDots: Dot[] } {
  const start = cursor.at;
  const parents = cursor.readHead(MAJOR_LIST) - 1;
  if (parents < 0 || parents > MAX_PARENTS) throw malformed('not the dots of a commit', start);
  const sequence = readSequence(cursor);
  const parentDots: Dot[] = [];
  for (let i = 0; i < parents; i++) {
    if (cursor.isAtHead(MAJOR_UNSIGNED)) {
      parentDots.push({ writer: author, sequence: readSequence(cursor) });
      continue;
    }
    const dotAt = cursor.at;
    if (cursor.readHead(MAJOR_LIST) !== 2) throw malformed('a dot has two parts', dotAt);
    const dot: Dot = { writer: readWriter(cursor), sequence: readSequence(cursor) };
    if (equalBytes(dot.writer, author)) throw malformed('a dot with needless writer', dotAt);
    parentDots.push(dot);
  }
  return { sequence, parentDots };
}

function readParents(cursor: CborCursor): Uint8Array[] {
  const start = cursor.at;
  const count = cursor.readHead(MAJOR_LIST);
  if (count > MAX_PARENTS) throw malformed(`more than ${MAX_PARENTS} parents`, start);
  const parents: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const digest = linkedDigest(cursor);
    if (i > 0 && compareBytes(parents[i - 1]!, digest) >= 0) {
      throw malformed('parents out of order', cursor.at);
    }
    parents.push(digest);
  }
  return parents;
}

function expectItem(cursor: CborCursor, item: Uint8Array): void {
  const found = cursor.bytes.subarray(cursor.at, cursor.at + item.length);
  if (compareBytes(found, item) !== 0) throw malformed('not the keys of a commit', cursor.at);
  cursor.at += item.length;
}

/** The version names of `replaces`, each a slice of NAME_BYTES. */
export function namesIn(replaces: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let at = 0; at < replaces.length; at += NAME_BYTES) {
    names.push(replaces.subarray(at, at + NAME_BYTES));
  }
  return names;
}

// --- writing ---

/** Shared by the functions below, each of which leaves it empty. */
const writer = new CborWriter();

/** A parent as a new commit names it. */
export interface Parent extends Dot {
  readonly digest: Uint8Array;
}

/** @param parents by digest, ascending; @param operations as the encode functions below give them */
export function encodeCommit(
  parents: readonly Parent[],
  time: number,
  dot: Dot,
  operations: readonly Uint8Array[],
): Uint8Array {
  writer.raw(TWO_KEYS).raw(DATA_KEY).head(MAJOR_LIST, 5);
  writer.head(MAJOR_UNSIGNED, COMMIT_VERSION).head(MAJOR_UNSIGNED, time).bytes(dot.writer);
  writer.head(MAJOR_LIST, operations.length);
  for (const operation of operations) writer.raw(operation);
  writer.head(MAJOR_LIST, 1 + parents.length).head(MAJOR_UNSIGNED, dot.sequence);
  for (const parent of parents) {
    if (!equalBytes(parent.writer, dot.writer)) writer.head(MAJOR_LIST, 2).bytes(parent.writer);
    writer.head(MAJOR_UNSIGNED, parent.sequence);
  }
  writer.raw(PARENTS_KEY).head(MAJOR_LIST, parents.length);
  for (const { digest } of parents) writeLink(writer, digest);
  return writer.finish();
}

/** @param set all fields, as a dag-cbor map; @param replaces version names, NAME_BYTES each */
export function encodePut(id: string, replaces: Uint8Array, set: Uint8Array): Uint8Array {
  return writer.head(MAJOR_LIST, 3).text(id).bytes(replaces).raw(set).finish();
}

/** @param set some fields of the dag-cbor map `bytes`, in its order; @param unset names of others */
export function encodePatch(
  id: string,
  replaces: Uint8Array,
  bytes: Uint8Array,
  set: readonly FieldSpan[],
  unset: readonly string[],
): Uint8Array {
  writer
    .head(MAJOR_LIST, unset.length === 0 ? 3 : 4)
    .text(id)
    .bytes(replaces);
  writer.head(MAJOR_MAP, set.length);
  for (const { keyAt, end } of set) writer.raw(bytes.subarray(keyAt, end));
  if (unset.length > 0) {
    writer.head(MAJOR_LIST, unset.length);
    for (const name of unset) writer.text(name);
  }
  return writer.finish();
}

/** Fields' names and their encoded values as a dag-cbor map of these alone. */
export function encodeSet(
  fields: readonly (readonly [name: string, value: Uint8Array])[],
): Uint8Array {
  const encoded = fields.map(([name, value]) => ({ key: writer.text(name).finish(), value }));
  encoded.sort((a, b) => compareKeys(a.key, b.key));
  writer.head(MAJOR_MAP, encoded.length);
  for (const { key, value } of encoded) writer.raw(key).raw(value);
  return writer.finish();
}

export function encodeDelete(id: string, replaces: Uint8Array): Uint8Array {
  return writer.head(MAJOR_LIST, 2).text(id).bytes(replaces).finish();
}

// --- links ---

/** Consumes a link to a block of dag-cbor and returns its digest. @throws BlockError `malformed-commit` */
export function linkedDigest(cursor: CborCursor): Uint8Array {
  const cid = cursor.readLink();
  if (!isSha256DagCbor(cid)) throw malformed('a link to something else', cursor.at);
  return cid.subarray(4);
}

/** A link to the block of dag-cbor with this digest. */
export function writeLink(to: CborWriter, digest: Uint8Array): void {
  to.raw(LINK_HEAD).raw(digest);
}

/** The digest that names a commit, out of its CID; undefined for the CID of anything else. */
export function commitDigest(cid: CID): Uint8Array | undefined {
  return isSha256DagCbor(cid.bytes) ? cid.multihash.digest : undefined;
}
