import { encode } from '../dag-cbor.ts';
import { CID } from 'multiformats/cid';
import { DocumentError } from '../errors.ts';
import { CborCursor, CborWriter, isWellFormed, MAX_DEPTH } from '../cbor.ts';

/** What a document's field may hold: JSON, bytes, CID links, and integers up to 64 bits. */
export type DocumentValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | CID
  | readonly DocumentValue[]
  | { readonly [key: string]: DocumentValue };

/** A document: its `_id`, and fields. */
export interface Document {
  readonly _id: string;
  readonly [field: string]: DocumentValue;
}

/** The longest `_id`, in bytes of UTF-8. */
export const MAX_ID_BYTES = 512;

/** The default limit of a document, in bytes of dag-cbor without its `_id`: 1 MiB. */
export const DEFAULT_MAX_DOCUMENT_BYTES: number = 1024 * 1024;

/** A document that was checked: its id and the dag-cbor map of its other fields. */
export interface EncodedDocument {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The size of an encoded document without fields. */
const EMPTY_MAP_BYTES = 1;

const utf8 = new TextEncoder();
const LEAST_INT64 = -(2n ** 64n);
const GREATEST_INT64 = 2n ** 64n - 1n;

/**
 * Checks a document and encodes it, so that later changes of the object change nothing.
 * @throws DocumentError that names the place in the document
 */
export function encodeDocument(document: unknown, maxBytes: number): EncodedDocument {
  if (!isPlainObject(document)) {
    throw new DocumentError(
      'not-a-document',
      `a document is a plain object, not ${kindOf(document)}`,
    );
  }
  const id = document['_id'];
  checkId(id);
  const bytes = encodeFields(document) ?? encodeChecked(document);
  checkSize(id, bytes.length, maxBytes);
  return { id, bytes };
}

/**
 * Like `encodeDocument`, for some fields of a document.
 * @throws DocumentError, `empty-patch` when there is none
 */
export function encodeSomeFields(document: unknown, maxBytes: number): EncodedDocument {
  const encoded = encodeDocument(document, maxBytes);
  if (encoded.bytes.length > EMPTY_MAP_BYTES) return encoded;
  const what = `a patch of document '${encoded.id}' without any field but its _id`;
  throw new DocumentError('empty-patch', what);
}

/** @throws DocumentError `document-too-large` */
export function checkSize(id: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new DocumentError(
    'document-too-large',
    `document '${id}' has ${bytes} bytes; the limit (maxDocumentBytes) is ${maxBytes}`,
  );
}

/** @throws DocumentError for the first that cannot be */
export function encodeDocuments(documents: Iterable<unknown>, maxBytes: number): EncodedDocument[] {
  if (typeof documents?.[Symbol.iterator] !== 'function') {
    throw new DocumentError('not-a-document', 'bulk takes a list of documents');
  }
  return Array.from(documents, (document) => encodeDocument(document, maxBytes));
}

/** Undefined when something in it cannot be stored, or might be an object of another realm. */
function encodeFields(document: Record<string, unknown>): Uint8Array | undefined {
  try {
    return writer.fields(document, '_id') ? writer.finish() : undefined;
  } finally {
    // A getter of the document may have thrown.
    writer.reset();
  }
}

/** @throws DocumentError that says what cannot be stored */
function encodeChecked(document: Record<string, unknown>): Uint8Array {
  const { _id: id, ...fields } = document;
  checkFields(fields, '', 0, new Set([document]));
  try {
    return encode(fields);
  } catch (cause) {
    const what = `document '${String(id)}' cannot be encoded`;
    throw new DocumentError('invalid-value', what, '', { cause });
  }
}

/** Left empty by every use. */
const writer = new CborWriter();

/** @throws DocumentError `invalid-id` */
export function checkId(id: unknown): asserts id is string {
  if (typeof id !== 'string') {
    const what =
      id === undefined ? 'a document needs an _id' : `an _id is a string, not ${kindOf(id)}`;
    throw new DocumentError('invalid-id', what, '_id');
  }
  if (id === '') throw new DocumentError('invalid-id', 'an _id is not empty', '_id');
  if (!isWellFormed(id)) {
    throw new DocumentError(
      'invalid-id',
      'an _id is Unicode text; this one has a lone surrogate',
      '_id',
    );
  }
  // A UTF-16 unit is one to three bytes of UTF-8: only the ids in between need to be measured.
  if (
    id.length > MAX_ID_BYTES ||
    (id.length * 3 > MAX_ID_BYTES && utf8.encode(id).length > MAX_ID_BYTES)
  ) {
    throw new DocumentError(
      'invalid-id',
      `an _id has at most ${MAX_ID_BYTES} bytes of UTF-8`,
      '_id',
    );
  }
}

/** The fields behind the bytes of a checked dag-cbor map. */
export function decodeFields(bytes: Uint8Array): Record<string, DocumentValue> {
  return decodeValue(bytes) as Record<string, DocumentValue>;
}

/** Unlike dag-cbor's own decoder it keeps a byte order mark at the start of text. */
export function decodeValue(bytes: Uint8Array): DocumentValue {
  return new CborCursor(bytes).readValue() as DocumentValue;
}

// --- checks ---

type Ancestors = Set<object>;

function checkFields(
  fields: Record<string, unknown>,
  path: string,
  depth: number,
  ancestors: Ancestors,
): void {
  for (const key in fields) {
    if (!isWellFormed(key)) throw invalid(joinPath(path, key), 'its name has a lone surrogate');
    if (key === '__proto__') throw invalid(joinPath(path, key), 'no field has this name');
    checkValue(fields[key], path, key, depth, ancestors);
  }
}

function checkValue(
  value: unknown,
  path: string,
  key: string | number,
  depth: number,
  ancestors: Ancestors,
): void {
  switch (typeof value) {
    case 'string':
      if (!isWellFormed(value)) throw invalid(joinPath(path, key), 'its text has a lone surrogate');
      return;
    case 'number':
      if (!Number.isFinite(value)) throw invalid(joinPath(path, key), `${value} is no JSON number`);
      return;
    case 'boolean':
      return;
    case 'bigint':
      if (value < LEAST_INT64 || value > GREATEST_INT64) {
        throw invalid(joinPath(path, key), 'an integer has at most 64 bits');
      }
      return;
    case 'object':
      if (value !== null) checkObject(value, joinPath(path, key), depth + 1, ancestors);
      return;
    case 'undefined':
    case 'function':
    case 'symbol':
      throw invalid(joinPath(path, key), `${typeof value} cannot be stored; leave the field out`);
  }
}

function checkObject(value: object, path: string, depth: number, ancestors: Ancestors): void {
  if (value instanceof Uint8Array || CID.asCID(value) !== null) return;
  if (depth > MAX_DEPTH) throw invalid(path, `nested more than ${MAX_DEPTH} deep`);
  if (ancestors.has(value)) throw invalid(path, 'it contains itself');
  ancestors.add(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) checkValue(value[i], path, i, depth, ancestors);
  } else if (isPlainObject(value)) {
    checkFields(value, path, depth, ancestors);
  } else {
    throw invalid(
      path,
      `${kindOf(value)} cannot be stored; use plain objects, lists and Uint8Array`,
    );
  }
  ancestors.delete(value);
}

function invalid(path: string, why: string): DocumentError {
  return new DocumentError('invalid-value', `field '${path}': ${why}`, path);
}

function joinPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || isForeignObject(prototype);
}

/** Plain objects of another realm (an iframe, a vm context) have that realm's Object.prototype. */
function isForeignObject(prototype: unknown): boolean {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'hasOwnProperty')
  );
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  return Array.isArray(value) ? 'an array' : `a ${value.constructor?.name ?? 'object'}`;
}
