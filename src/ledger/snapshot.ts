import { CID } from 'multiformats/cid';
import { blockOf, MAX_BLOCK_BYTES, type Block } from '../blocks.ts';
import { compareBytes, keyOf } from '../bytes.ts';
import { BlockError } from '../errors.ts';
import { DIGEST_BYTES, sha256 } from '../sha256.ts';
import { CborCursor, CborWriter, MAJOR_LIST, MAJOR_UNSIGNED } from '../cbor.ts';
import {
  fieldSpans,
  linkedDigest,
  readId,
  readSequence,
  readSet,
  readUnset,
  readWriter,
  writeLink,
  type Dot,
} from './commit.ts';
import { PAGE_START, ROOT_START } from './block-kind.ts';
import { CausalContext } from './context.ts';
import { PAGE_MAX_BYTES, PAGE_MEAN_BYTES, PAGE_MIN_BYTES } from './page-size.ts';

/**
 * A snapshot: the state that a set of commits adds up to, as dag-cbor blocks that depend on nothing but
 * that set. Pages hold the documents in order of their ids; the root names the pages.
 *
 *   root  { snapshot: [version, context, [head, …], [link, …]] }
 *   page  { page: [version, [writer, …], [version of a field, …], [document, …]] }
 *
 *   head              [digest, time, writer, sequence]
 *   version           [digest, time, number of the writer in this page, sequence]: the commit that wrote it
 *   document          [id, v, set]                                one commit wrote all there is
 *                     [id, [v * 2 + deleted, …], [[v, set, unset?], …]]
 *
 * v numbers a version of the page. In the long form the first list tells the newest operations on the
 * document that none supersedes, the second what survives of each commit's fields. Writers, versions
 * and what refers to them ascend. A document that can be told in the short form is.
 *
 * Where a page ends depends on the ids and sizes of its own documents alone, so that a change moves the
 * ends near it and leaves the other pages as they were (content-defined chunking, "A Low-bandwidth
 * Network File System", Muthitacharoen et al., 2001).
 */

export const SNAPSHOT_VERSION = 1;

/** What a document takes beside its id and fields, about. */
const ENTRY_OVERHEAD_BYTES = 48;

/** A commit of which something survives. */
export interface Version extends Dot {
  readonly digest: Uint8Array;
  readonly time: number;
}

// --- writing ---

/** One document of a snapshot: its versions are the numbers of commits. */
export interface SnapshotEntry {
  readonly id: string;
  readonly heads: readonly { readonly commit: number; readonly deleted: boolean }[];
  readonly writings: readonly SnapshotWriting[];
}

export interface SnapshotWriting {
  readonly commit: number;
  /** The surviving fields of the commit, as a dag-cbor map. */
  readonly set: Uint8Array;
  readonly unset: readonly string[];
}

/** Left empty by every use. */
const writer = new CborWriter();

/** Collects documents, in order of their ids, into pages. */
export class PageWriter {
  readonly #versionOf: (commit: number) => Version;
  #entries: SnapshotEntry[] = [];
  #bytes = 0;

  constructor(versionOf: (commit: number) => Version) {
    this.#versionOf = versionOf;
  }

  /** @returns the page that this document completes, if it does */
  add(entry: SnapshotEntry): Block | undefined {
    const bytes = entryBytes(entry);
    const before = this.#bytes > 0 && this.#bytes + bytes > PAGE_MAX_BYTES ? this.end() : undefined;
    this.#entries.push(entry);
    this.#bytes += bytes;
    if (before !== undefined) return before;
    return this.#bytes >= PAGE_MIN_BYTES && endsAt(entry.id, bytes) ? this.end() : undefined;
  }

  /** The page of what has been added since the last one; undefined if nothing has. */
  end(): Block | undefined {
    if (this.#entries.length === 0) return undefined;
    const page = encodePage(this.#entries, this.#versionOf);
    this.#entries = [];
    this.#bytes = 0;
    return page;
  }
}

function entryBytes({ id, writings }: SnapshotEntry): number {
  let bytes = id.length + ENTRY_OVERHEAD_BYTES;
  for (const { set, unset } of writings) {
    bytes += set.length;
    for (const name of unset) bytes += name.length;
  }
  return bytes;
}

/** True for about one in so many documents that pages have their mean size. */
function endsAt(id: string, bytes: number): boolean {
  const hash = sha256(new TextEncoder().encode(id));
  const number = new DataView(hash.buffer, hash.byteOffset).getUint32(0);
  return number / 2 ** 32 < bytes / PAGE_MEAN_BYTES;
}

function encodePage(
  entries: readonly SnapshotEntry[],
  versionOf: (commit: number) => Version,
): Block {
  const commits = new Set<number>();
  for (const { heads, writings } of entries) {
    for (const { commit } of heads) commits.add(commit);
    for (const { commit } of writings) commits.add(commit);
  }
  const versions = [...commits]
    .map((commit) => ({ commit, version: versionOf(commit) }))
    .sort((a, b) => compareBytes(a.version.digest, b.version.digest));
  const numbers = new Map(versions.map(({ commit }, number) => [commit, number]));
  const numberOf = (commit: number): number => numbers.get(commit)!;
  const writers = [
    ...new Map(versions.map(({ version }) => [keyOf(version.writer), version.writer])).values(),
  ].sort(compareBytes);
  const writerNumbers = new Map(writers.map((id, number) => [keyOf(id), number]));

  writer.raw(PAGE_START).head(MAJOR_LIST, 4).head(MAJOR_UNSIGNED, SNAPSHOT_VERSION);
  writer.head(MAJOR_LIST, writers.length);
  for (const id of writers) writer.bytes(id);
  writer.head(MAJOR_LIST, versions.length);
  for (const { version } of versions) {
    const number = writerNumbers.get(keyOf(version.writer))!;
    writer.head(MAJOR_LIST, 4).bytes(version.digest).head(MAJOR_UNSIGNED, version.time);
    writer.head(MAJOR_UNSIGNED, number).head(MAJOR_UNSIGNED, version.sequence);
  }
  writer.head(MAJOR_LIST, entries.length);
  for (const entry of entries) writeEntry(writer, entry, numberOf);
  return blockOf(writer.finish());
}

/** @param numberOf by what number the entry names a commit; entries of equal states give equal bytes */
export function writeEntry(
  to: CborWriter,
  { id, heads, writings }: SnapshotEntry,
  numberOf: (commit: number) => number,
): void {
  to.head(MAJOR_LIST, 3).text(id);
  const [head] = heads;
  const [writing] = writings;
  const short =
    heads.length === 1 &&
    writings.length <= 1 &&
    !head!.deleted &&
    (writing === undefined || (writing.commit === head!.commit && writing.unset.length === 0));
  if (short) {
    to.head(MAJOR_UNSIGNED, numberOf(head!.commit)).raw(writing?.set ?? EMPTY_MAP);
    return;
  }
  const marks = heads
    .map(({ commit, deleted }) => numberOf(commit) * 2 + (deleted ? 1 : 0))
    .sort((a, b) => a - b);
  to.head(MAJOR_LIST, marks.length);
  for (const mark of marks) to.head(MAJOR_UNSIGNED, mark);
  const ascending = [...writings].sort((a, b) => numberOf(a.commit) - numberOf(b.commit));
  to.head(MAJOR_LIST, ascending.length);
  for (const { commit, set, unset } of ascending) {
    to.head(MAJOR_LIST, unset.length > 0 ? 3 : 2);
    to.head(MAJOR_UNSIGNED, numberOf(commit)).raw(set);
    if (unset.length === 0) continue;
    to.head(MAJOR_LIST, unset.length);
    for (const name of [...unset].sort()) to.text(name);
  }
}

const EMPTY_MAP = Uint8Array.of(0xa0);

/** @throws BlockError `block-too-large` when the root would be: a state of some 3 GB */
export function encodeRoot(
  context: CausalContext,
  heads: readonly Version[],
  pages: readonly CID[],
): Block {
  writer.raw(ROOT_START).head(MAJOR_LIST, 4).head(MAJOR_UNSIGNED, SNAPSHOT_VERSION);
  context.write(writer);
  writer.head(MAJOR_LIST, heads.length);
  for (const { digest, time, writer: author, sequence } of heads) {
    writer.head(MAJOR_LIST, 4).bytes(digest).head(MAJOR_UNSIGNED, time).bytes(author);
    writer.head(MAJOR_UNSIGNED, sequence);
  }
  writer.head(MAJOR_LIST, pages.length);
  for (const page of pages) writeLink(writer, page.multihash.digest);
  const bytes = writer.finish();
  if (bytes.length > MAX_BLOCK_BYTES) {
    throw new BlockError('block-too-large', `a snapshot of ${pages.length} pages`);
  }
  return blockOf(bytes);
}

// --- reading ---

export interface SnapshotRoot {
  readonly context: CausalContext;
  /** By digest, ascending. */
  readonly heads: readonly Version[];
  /** The digests of the pages. */
  readonly pages: readonly Uint8Array[];
}

/** @throws BlockError `malformed-snapshot` */
export function readRoot(bytes: Uint8Array): SnapshotRoot {
  return checked(bytes, ROOT_START, (cursor) => {
    const context = CausalContext.read(cursor);
    const heads = readAscending(cursor, () => {
      expectList(cursor, 4);
      const digest = readDigest(cursor);
      const time = cursor.readHead(MAJOR_UNSIGNED);
      return { digest, time, writer: readWriter(cursor), sequence: readSequence(cursor) };
    });
    for (const head of heads) {
      if (!context.covers(head)) throw malformed('a head that is not covered', cursor.at);
    }
    const pages: Uint8Array[] = [];
    for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) {
      pages.push(linkedDigest(cursor));
    }
    return { context, heads, pages };
  });
}

/** A document as a page tells it: the places of its parts in the page, and their versions. */
export interface PageEntry {
  readonly id: string;
  /** Of the short form: the version, and where the entry begins. */
  readonly only: Placed | undefined;
  readonly heads: readonly (Placed & { readonly deleted: boolean })[];
  readonly writings: readonly (Placed & { readonly fields: readonly string[] })[];
}

/** Something in a page: its first byte, and the number of the version it belongs to. */
export interface Placed {
  readonly at: number;
  readonly version: number;
}

export interface SnapshotPage {
  readonly versions: readonly Version[];
  readonly entries: readonly PageEntry[];
}

/**
 * Reads and checks a whole page; values stay encoded.
 * @throws BlockError `malformed-snapshot` or `block-too-large`
 */
export function readPage(bytes: Uint8Array): SnapshotPage {
  return checked(bytes, PAGE_START, (cursor) => {
    const writers: Uint8Array[] = [];
    for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) {
      const id = readWriter(cursor);
      if (writers.length > 0 && compareBytes(writers.at(-1)!, id) >= 0) {
        throw malformed('writers out of order', cursor.at);
      }
      writers.push(id);
    }
    const versions = readAscending(cursor, () => {
      expectList(cursor, 4);
      const digest = readDigest(cursor);
      const time = cursor.readHead(MAJOR_UNSIGNED);
      const author = writers[cursor.readHead(MAJOR_UNSIGNED)];
      if (author === undefined) throw malformed('an unknown writer', cursor.at);
      return { digest, time, writer: author, sequence: readSequence(cursor) };
    });
    const entries: PageEntry[] = [];
    for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) {
      const start = cursor.at;
      const entry = readEntry(cursor, versions.length);
      if (entries.length > 0 && entries.at(-1)!.id >= entry.id) {
        throw malformed('documents out of order', start);
      }
      entries.push(entry);
    }
    if (entries.length === 0) throw malformed('a page without documents', cursor.at);
    return { versions, entries };
  });
}

function readEntry(cursor: CborCursor, versions: number): PageEntry {
  const at = cursor.at;
  expectList(cursor, 3);
  const id = readId(cursor);
  if (cursor.isAtHead(MAJOR_UNSIGNED)) {
    const version = readNumber(cursor, versions);
    readSet(cursor);
    return { id, only: { at, version }, heads: [], writings: [] };
  }
  const heads: (Placed & { deleted: boolean })[] = [];
  for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) {
    const headAt = cursor.at;
    const mark = readNumber(cursor, versions * 2);
    const version = mark >> 1;
    if (heads.length > 0 && heads.at(-1)!.version >= version) {
      throw malformed('heads out of order', headAt);
    }
    heads.push({ at: headAt, version, deleted: (mark & 1) === 1 });
  }
  if (heads.length === 0) throw malformed('a document without heads', at);
  const writings: (Placed & { fields: string[] })[] = [];
  for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) {
    const writingAt = cursor.at;
    const parts = cursor.readHead(MAJOR_LIST);
    if (parts !== 2 && parts !== 3) throw malformed('a writing has two or three parts', writingAt);
    const version = readNumber(cursor, versions);
    if (writings.length > 0 && writings.at(-1)!.version >= version) {
      throw malformed('writings out of order', writingAt);
    }
    const { setAt } = readSet(cursor);
    const fields = fieldSpans(cursor.bytes, setAt).map(({ name }) => name);
    if (parts === 3) fields.push(...readUnset(cursor, setAt));
    if (fields.length === 0) throw malformed('a writing without fields', writingAt);
    writings.push({ at: writingAt, version, fields });
  }
  return { id, only: undefined, heads, writings };
}

function checked<T>(bytes: Uint8Array, start: Uint8Array, read: (cursor: CborCursor) => T): T {
  if (bytes.length > MAX_BLOCK_BYTES) {
    throw new BlockError('block-too-large', `a block has at most ${MAX_BLOCK_BYTES} bytes`);
  }
  try {
    const cursor = new CborCursor(bytes, start.length);
    expectList(cursor, 4);
    const version = cursor.readHead(MAJOR_UNSIGNED);
    if (version !== SNAPSHOT_VERSION) {
      throw malformed(`version ${version} where ${SNAPSHOT_VERSION} is known`, start.length);
    }
    const value = read(cursor);
    if (cursor.at !== bytes.length) throw malformed('bytes after the end', cursor.at);
    return value;
  } catch (error) {
    if (!(error instanceof BlockError) || error.code !== 'malformed-commit') throw error;
    throw new BlockError('malformed-snapshot', error.message.replace('commit', 'snapshot'));
  }
}

function readAscending<T extends Version>(cursor: CborCursor, read: () => T): T[] {
  const versions: T[] = [];
  for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) {
    const start = cursor.at;
    const version = read();
    const previous = versions.at(-1);
    if (previous !== undefined && compareBytes(previous.digest, version.digest) >= 0) {
      throw malformed('digests out of order', start);
    }
    versions.push(version);
  }
  return versions;
}

function readDigest(cursor: CborCursor): Uint8Array {
  const digest = cursor.readBytes();
  if (digest.length !== DIGEST_BYTES) throw malformed('not a digest', cursor.at);
  return digest;
}

function readNumber(cursor: CborCursor, below: number): number {
  const number = cursor.readHead(MAJOR_UNSIGNED);
  if (number >= below) throw malformed('an unknown version', cursor.at);
  return number;
}

function expectList(cursor: CborCursor, parts: number): void {
  const start = cursor.at;
  if (cursor.readHead(MAJOR_LIST) !== parts) throw malformed(`not a list of ${parts}`, start);
}

function malformed(what: string, at: number): BlockError {
  return new BlockError('malformed-snapshot', `malformed snapshot: ${what} at byte ${at}`);
}
