import { CID } from 'multiformats/cid';
import { compareBytes, equalBytes } from './bytes.ts';
import { BlockError } from './errors.ts';

/**
 * Walks over dag-cbor without building values, and accepts only its canonical form: the one spelling
 * that the ledger's own encoder gives a value. So equal bytes mean equal values, a commit can be
 * checked and indexed at the speed of reading, and a value is decoded only when somebody asks for it.
 *
 * Canonical (IPLD dag-cbor, strict): shortest integers, definite lengths, map keys that are unique
 * strings sorted by length and then bytes, 64-bit floats that are finite and not integers, no
 * `undefined`, the tag 42 alone.
 */

/** How deep lists and maps may be nested in a document. */
export const MAX_DEPTH = 64;

export const MAJOR_UNSIGNED = 0;
export const MAJOR_BYTES = 2;
export const MAJOR_TEXT = 3;
export const MAJOR_LIST = 4;
export const MAJOR_MAP = 5;

const MAJOR_NEGATIVE = 1;
const MAJOR_TAG = 6;
const CID_TAG = 42;
const FALSE = 0xf4;
const NULL = 0xf6;
const FLOAT_64 = 0xfb;

/** The text item `__proto__`: as a key of an object it would be no field but the prototype. */
const PROTO_KEY = Uint8Array.from([0x69, 0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f]);

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function malformed(what: string, at: number): BlockError {
  return new BlockError('malformed-commit', `malformed commit: ${what} at byte ${at}`);
}

/** A cursor over bytes: `at` is the next byte to read. Every method throws BlockError `malformed-commit`. */
export class CborCursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Consumes a head of the given major type and returns its argument: a length or an integer. */
  readHead(major: number): number {
    const start = this.at;
    const initial = this.#byteAt(start);
    if (initial >> 5 !== major) throw malformed(`expected major type ${major}`, start);
    return this.#readArgument(initial, start);
  }

  /** True when the next item is of this major type. */
  isAtHead(major: number): boolean {
    return this.#byteAt(this.at) >> 5 === major;
  }

  /** Consumes a byte string and returns a view of it. */
  readBytes(): Uint8Array {
    return this.#take(this.readHead(MAJOR_BYTES));
  }

  /** Consumes a text string. */
  readText(): string {
    const length = this.readHead(MAJOR_TEXT);
    const start = this.at;
    this.#pass(length);
    return decodeText(this.bytes, start, this.at);
  }

  /** Consumes a link (tag 42) and returns a view of the CID's bytes. */
  readLink(): Uint8Array {
    const start = this.at;
    if (this.readHead(MAJOR_TAG) !== CID_TAG) throw malformed('unknown tag', start);
    const bytes = this.readBytes();
    const cid = bytes.subarray(1);
    if (bytes[0] !== 0 || !isCid(cid)) throw malformed('not a CID', start);
    return cid;
  }

  /** Consumes one value of any kind, checking that it is canonical. */
  skip(depth = 0): void {
    const start = this.at;
    const initial = this.#byteAt(start);
    switch (initial >> 5) {
      case MAJOR_UNSIGNED:
      case MAJOR_NEGATIVE:
        this.#skipInteger(initial);
        return;
      case MAJOR_BYTES:
        this.#pass(this.readHead(MAJOR_BYTES));
        return;
      case MAJOR_TEXT:
        this.#skipText();
        return;
      case MAJOR_LIST: {
        if (depth > MAX_DEPTH) throw malformed('nested too deeply', start);
        for (let left = this.readHead(MAJOR_LIST); left > 0; left--) this.skip(depth + 1);
        return;
      }
      case MAJOR_MAP: {
        if (depth > MAX_DEPTH) throw malformed('nested too deeply', start);
        this.skipMap(depth);
        return;
      }
      case MAJOR_TAG:
        this.readLink();
        return;
      default:
        this.#skipSimple(initial);
    }
  }

  /** Consumes one value and returns it; it shares no memory with the bytes. */
  readValue(): unknown {
    const initial = this.#byteAt(this.at);
    switch (initial >> 5) {
      case MAJOR_UNSIGNED:
        return this.#readInteger(initial);
      case MAJOR_NEGATIVE: {
        const value = this.#readInteger(initial);
        const negative = -1n - BigInt(value);
        return negative < Number.MIN_SAFE_INTEGER ? negative : Number(negative);
      }
      case MAJOR_BYTES:
        return new Uint8Array(this.readBytes());
      case MAJOR_TEXT:
        return this.readText();
      case MAJOR_LIST: {
        const list: unknown[] = [];
        for (let left = this.readHead(MAJOR_LIST); left > 0; left--) list.push(this.readValue());
        return list;
      }
      case MAJOR_MAP: {
        const map: Record<string, unknown> = {};
        for (let left = this.readHead(MAJOR_MAP); left > 0; left--) {
          const key = this.readText();
          map[key] = this.readValue();
        }
        return map;
      }
      case MAJOR_TAG:
        return CID.decode(new Uint8Array(this.readLink()));
      default:
        return this.#readSimple(initial);
    }
  }

  /** Consumes a map; `onKey` is told where each key and its value begin. */
  skipMap(depth = 0, onKey?: (keyAt: number, valueAt: number, end: number) => void): void {
    let previousAt = -1;
    let previousLength = 0;
    for (let left = this.readHead(MAJOR_MAP); left > 0; left--) {
      const keyAt = this.at;
      this.#skipText();
      const keyLength = this.at - keyAt;
      if (previousAt >= 0 && !this.#keysAscend(previousAt, previousLength, keyAt, keyLength)) {
        throw malformed('map keys out of order', keyAt);
      }
      if (keyLength === PROTO_KEY.length && this.#isAt(keyAt, PROTO_KEY)) {
        throw malformed('a key that no document may have', keyAt);
      }
      previousAt = keyAt;
      previousLength = keyLength;
      const valueAt = this.at;
      this.skip(depth + 1);
      onKey?.(keyAt, valueAt, this.at);
    }
  }

  /** Consumes one signed or unsigned integer, which may need 64 bits. */
  #skipInteger(initial: number): void {
    const width = initial & 31;
    if (width === 27) {
      // The only head whose argument may pass 2^53: checked for shortness, not turned into a number.
      if (this.at + 9 > this.bytes.length) throw malformed('cut off', this.at);
      if (this.#view.getUint32(this.at + 1) === 0) throw malformed('integer too wide', this.at);
      this.at += 9;
    } else {
      this.#readArgument(initial, this.at);
    }
  }

  #readInteger(initial: number): number | bigint {
    const start = this.at;
    this.#skipInteger(initial);
    if ((initial & 31) < 27) {
      this.at = start;
      return this.#readArgument(initial, start);
    }
    const value = this.#view.getBigUint64(start + 1);
    return value > Number.MAX_SAFE_INTEGER ? value : Number(value);
  }

  #readSimple(initial: number): boolean | null | number {
    const start = this.at;
    this.#skipSimple(initial);
    if (initial === FLOAT_64) return this.#view.getFloat64(start + 1);
    return initial === NULL ? null : initial !== FALSE;
  }

  #skipText(): void {
    const length = this.readHead(MAJOR_TEXT);
    const start = this.at;
    this.#pass(length);
    const { bytes, at: end } = this;
    for (let i = start; i < end; i++) {
      if (bytes[i]! >= 0x80) {
        decodeStrictly(bytes, start, end);
        return;
      }
    }
  }

  #skipSimple(initial: number): void {
    const start = this.at;
    if (initial >= FALSE && initial <= NULL) {
      this.at++;
      return;
    }
    if (initial !== FLOAT_64) throw malformed('unknown simple value', start);
    if (start + 9 > this.bytes.length) throw malformed('cut off', start);
    const value = this.#view.getFloat64(start + 1);
    if (!Number.isFinite(value) || Number.isSafeInteger(value)) {
      throw malformed('not a canonical float', start);
    }
    this.at += 9;
  }

  /** The argument of a head at `start`; consumes the head. */
  #readArgument(initial: number, start: number): number {
    const width = initial & 31;
    if (width < 24) {
      this.at = start + 1;
      return width;
    }
    const size = width === 24 ? 1 : width === 25 ? 2 : width === 26 ? 4 : width === 27 ? 8 : 0;
    if (size === 0) throw malformed('indefinite length', start);
    if (start + 1 + size > this.bytes.length) throw malformed('cut off', start);
    this.at = start + 1 + size;
    if (size === 1) return this.#atLeast(24, this.#view.getUint8(start + 1), start);
    if (size === 2) return this.#atLeast(0x1_00, this.#view.getUint16(start + 1), start);
    if (size === 4) return this.#atLeast(0x1_0000, this.#view.getUint32(start + 1), start);
    const value = this.#view.getUint32(start + 1) * 0x1_0000_0000 + this.#view.getUint32(start + 5);
    if (!Number.isSafeInteger(value)) throw malformed('number too large', start);
    return this.#atLeast(0x1_0000_0000, value, start);
  }

  #atLeast(least: number, value: number, start: number): number {
    if (value < least) throw malformed('integer too wide', start);
    return value;
  }

  #keysAscend(a: number, aLength: number, b: number, bLength: number): boolean {
    // Whole items are compared: the head grows with the length, so shorter keys come first.
    if (aLength !== bLength) return aLength < bLength;
    for (let i = 0; i < aLength; i++) {
      const difference = this.bytes[b + i]! - this.bytes[a + i]!;
      if (difference !== 0) return difference > 0;
    }
    return false;
  }

  #isAt(at: number, item: Uint8Array): boolean {
    for (let i = 0; i < item.length; i++) if (this.bytes[at + i] !== item[i]) return false;
    return true;
  }

  #take(length: number): Uint8Array {
    const start = this.at;
    this.#pass(length);
    // A view costs more than all the rest of reading an operation: most replace nothing.
    return length === 0 ? NO_BYTES : this.bytes.subarray(start, this.at);
  }

  #pass(length: number): void {
    const end = this.at + length;
    if (end > this.bytes.length) throw malformed('cut off', this.at);
    this.at = end;
  }

  #byteAt(at: number): number {
    const byte = this.bytes[at];
    if (byte === undefined) throw malformed('cut off', at);
    return byte;
  }
}

function isCid(bytes: Uint8Array): boolean {
  if (isSha256DagCbor(bytes)) return true;
  try {
    // The same CID could be spelt with wider numbers, or as a version 0 that says so.
    return equalBytes(CID.decode(bytes).bytes, bytes);
  } catch {
    return false;
  }
}

/** True for the bytes of a CIDv1 of dag-cbor by SHA-256, the kind that every commit has. */
export function isSha256DagCbor(cid: Uint8Array): boolean {
  return cid.length === 36 && cid[0] === 1 && cid[1] === 0x71 && cid[2] === 0x12 && cid[3] === 32;
}

function decodeText(bytes: Uint8Array, start: number, end: number): string {
  // Ids and field names are short and mostly ASCII, where this is several times faster.
  if (end - start > SHORT_TEXT) return decodeStrictly(bytes, start, end);
  let text = '';
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const [a, b, c, d] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
    if ((a | b | c | d) >= 0x80) return decodeStrictly(bytes, start, end);
    text += String.fromCharCode(a, b, c, d);
  }
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return decodeStrictly(bytes, start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}

function decodeStrictly(bytes: Uint8Array, start: number, end: number): string {
  try {
    return strictUtf8.decode(bytes.subarray(start, end));
  } catch (cause) {
    throw new BlockError('malformed-commit', `malformed commit: not UTF-8 at byte ${start}`, {
      cause,
    });
  }
}

const NO_BYTES = new Uint8Array(0);

/**
 * Puts dag-cbor together in memory that is used again for the next piece: many small arrays would
 * cost more than their bytes.
 */
export class CborWriter {
  readonly #instances: boolean;
  #buffer = new Uint8Array(4096);
  #at = 0;

  /** `instances`: objects of any class are taken as maps, not only plain ones. */
  constructor({ instances = false }: { instances?: boolean } = {}) {
    this.#instances = instances;
  }

  /** The head of an item: `major` type with its argument in the shortest form. */
  head(major: number, argument: number): this {
    this.#reserve(9);
    const buffer = this.#buffer;
    const start = this.#at;
    const size = headBytes(argument) - 1;
    buffer[start] = (major << 5) | (size === 0 ? argument : 24 + Math.log2(size));
    // Each element of the buffer takes the lowest byte of what it is given.
    let rest = argument;
    for (let at = start + size; at > start; at--) {
      buffer[at] = rest;
      rest = Math.floor(rest / 0x100);
    }
    this.#at = start + 1 + size;
    return this;
  }

  /** A text item. */
  text(text: string): this {
    this.#text(text);
    return this;
  }

  /** True when the text is ASCII. */
  #text(text: string): boolean {
    const { length } = text;
    this.#reserve(9 + length * 3);
    const start = this.#at;
    this.head(MAJOR_TEXT, length);
    const at = this.#at;
    if (length <= SHORT_TEXT && this.#ascii(text)) return true;
    const { written } = utf8.encodeInto(text, this.#buffer.subarray(at));
    if (written === length) {
      this.#at = at + length;
      return true;
    }
    // The head is known only when the length in bytes is.
    this.#buffer.copyWithin(start + headBytes(written), at, at + written);
    this.#at = start;
    this.head(MAJOR_TEXT, written);
    this.#at += written;
    return false;
  }

  /** Ids, names and most values are short and ASCII, where this is several times faster. */
  #ascii(text: string): boolean {
    const buffer = this.#buffer;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return false;
      buffer[at++] = unit;
    }
    this.#at = at;
    return true;
  }

  /**
   * A map of an object's own fields, but for the one called `except`. False when a value cannot be
   * stored; what was written then is of no use.
   */
  fields(
    object: Readonly<Record<string, unknown>>,
    except: string | undefined,
    depth = 0,
  ): boolean {
    if (depth > MAX_DEPTH) return false;
    const keys = Object.keys(object);
    const items: Uint8Array[] = [];
    const values: unknown[] = [];
    for (const key of keys) {
      if (key === except) continue;
      const item = keyItem(key);
      if (item === undefined) return false;
      // Sorted by insertion: most objects have few keys.
      let place = items.length;
      while (place > 0 && compareKeys(items[place - 1]!, item) > 0) {
        items[place] = items[place - 1]!;
        values[place] = values[place - 1];
        place--;
      }
      items[place] = item;
      values[place] = object[key];
    }
    this.head(MAJOR_MAP, items.length);
    for (let i = 0; i < items.length; i++) {
      this.raw(items[i]!);
      if (!this.value(values[i], depth)) return false;
    }
    return true;
  }

  /** A value of a document. False as of `fields`. */
  value(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'string':
        return this.#text(value) || isWellFormed(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        this.#byte(value ? FALSE + 1 : FALSE);
        return true;
      case 'bigint':
        return this.#bigint(value);
      case 'object':
        if (value !== null) return this.#object(value, depth + 1);
        this.#byte(NULL);
        return true;
      case 'undefined':
      case 'function':
      case 'symbol':
        return false;
    }
  }

  #object(value: object, depth: number): boolean {
    if (Array.isArray(value)) {
      if (depth > MAX_DEPTH) return false;
      this.head(MAJOR_LIST, value.length);
      for (let i = 0; i < value.length; i++) if (!this.value(value[i], depth)) return false;
      return true;
    }
    if (value instanceof Uint8Array) {
      this.bytes(value);
      return true;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      return this.fields(value as Record<string, unknown>, undefined, depth);
    }
    const cid = CID.asCID(value);
    if (cid === null) {
      if (!this.#instances || !isPlain(value)) return false;
      return this.fields(value as Record<string, unknown>, undefined, depth);
    }
    this.head(MAJOR_TAG, CID_TAG).head(MAJOR_BYTES, cid.bytes.length + 1);
    this.#byte(0);
    this.raw(cid.bytes);
    return true;
  }

  #number(value: number): boolean {
    if (Number.isSafeInteger(value)) {
      if (value >= 0) this.head(MAJOR_UNSIGNED, value);
      else this.head(MAJOR_NEGATIVE, -1 - value);
      return true;
    }
    if (!Number.isFinite(value)) return false;
    this.#byte(FLOAT_64);
    this.#reserve(8);
    scratch.setFloat64(0, value);
    for (let i = 0; i < 8; i++) this.#buffer[this.#at++] = scratch.getUint8(i);
    return true;
  }

  #bigint(value: bigint): boolean {
    const major = value < 0n ? MAJOR_NEGATIVE : MAJOR_UNSIGNED;
    const argument = value < 0n ? -1n - value : value;
    if (argument > GREATEST_UINT64) return false;
    if (argument <= Number.MAX_SAFE_INTEGER) {
      this.head(major, Number(argument));
      return true;
    }
    this.#byte((major << 5) | 27);
    this.#reserve(8);
    scratch.setBigUint64(0, argument);
    for (let i = 0; i < 8; i++) this.#buffer[this.#at++] = scratch.getUint8(i);
    return true;
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = byte;
  }

  /** A byte string item. */
  bytes(bytes: Uint8Array): this {
    return this.head(MAJOR_BYTES, bytes.length).raw(bytes);
  }

  /** Bytes that are items already. */
  raw(bytes: Uint8Array): this {
    const { length } = bytes;
    this.#reserve(length);
    if (length > 32) {
      this.#buffer.set(bytes, this.#at);
    } else {
      for (let i = 0; i < length; i++) this.#buffer[this.#at + i] = bytes[i]!;
    }
    this.#at += length;
    return this;
  }

  /** How many bytes were written since the writer was empty. */
  get length(): number {
    return this.#at;
  }

  /** A copy of what was written; the writer is empty again. */
  finish(): Uint8Array {
    return copyOut(this.finishView());
  }

  /** What was written, good until the next writing; the writer is empty again. */
  finishView(): Uint8Array {
    const view = this.#buffer.subarray(0, this.#at);
    this.#at = 0;
    return view;
  }

  /** Forgets what was written. */
  reset(): void {
    this.#at = 0;
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#at + length));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }
}

const utf8 = new TextEncoder();
const scratch = new DataView(new ArrayBuffer(8));
const GREATEST_UINT64 = 2n ** 64n - 1n;
const SHORT_TEXT = 64;

/** False for what is more than its fields: dates, maps, errors, arrays of numbers. */
function isPlain(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** How many bytes a head with this argument has. */
function headBytes(argument: number): number {
  if (argument < 24) return 1;
  return argument < 0x100 ? 2 : argument < 0x1_0000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9;
}

/** Field names recur: the items of those last seen are kept. */
const keyItems = new Map<string, Uint8Array>();
const MAX_KEY_ITEMS = 1024;

/** A field's name as a text item; undefined for a name that no field has. */
function keyItem(key: string): Uint8Array | undefined {
  const known = keyItems.get(key);
  if (known !== undefined) return known;
  if (key === '__proto__' || !isWellFormed(key)) return undefined;
  const item = new CborWriter().text(key).finishView().slice();
  if (keyItems.size === MAX_KEY_ITEMS) keyItems.clear();
  keyItems.set(key, item);
  return item;
}

/** The order of keys in a map, by their items: heads grow with the length, so shorter ones come first. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return a.length - b.length || compareBytes(a, b);
}

/** True when the text has no lone surrogate. */
export function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
    i++;
  }
  return true;
}

/** Many small buffers cost more than their bytes: small copies share one. */
const SLAB_BYTES = 64 * 1024;
let slab = new Uint8Array(0);
let slabUsed = 0;

function copyOut(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SLAB_BYTES / 16) return bytes.slice();
  if (slab.length - slabUsed < bytes.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, (slabUsed += bytes.length));
  copy.set(bytes);
  return copy;
}
