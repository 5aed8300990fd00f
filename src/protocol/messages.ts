import { decode as decodeCbor, encode as encodeCbor } from '../dag-cbor.ts';
import type { CID } from 'multiformats/cid';
import { MAX_BLOCK_BYTES } from '../blocks.ts';
import { ProtocolError } from '../errors.ts';
import { KEY_BYTES, SALT_BYTES } from '../sketch.ts';
import { type CidList, countOf, packCids, parseCidList, unpackCids } from './diff/list.ts';

/** What `hello` carries; a side that hears another version aborts with `unsupported-version`. */
export const PROTOCOL_VERSION = 1;

/** The most heads that a hello lists. */
export const MAX_HELLO_HEADS = 256;
/** The longest replica id, in bytes. */
export const MAX_REPLICA_ID_BYTES = 64;
/** The longest text of an abort, in UTF-16 units; a longer one is cut by who sends it. */
export const MAX_ABORT_TEXT = 512;
/** The smallest frame limit, in bytes, that a side may name. */
export const MIN_FRAME_BYTES = 1024;
/** The most bytes of CAR that one `packed` holds. */
export const MAX_PACKED_BYTES: number = 64 * 1024;
/** The smallest receive window, in bytes: the largest block must fit, with its frame around it. */
export const MIN_WINDOW_BYTES: number = MAX_BLOCK_BYTES + 128 * 1024;

/** Why a side ends the session; every violation of the protocol has one. */
export type AbortReason = (typeof ABORT_REASONS)[number];

export const ABORT_REASONS = [
  'malformed-frame',
  'unexpected-message',
  'unsupported-version',
  'frame-too-large',
  'window-exceeded',
  'limit-exceeded',
  'bad-block',
  'refused',
  'read-only',
  'storage-failed',
  'hello-timeout',
  'connected-to-self',
] as const;

export interface Hello {
  readonly kind: 'hello';
  readonly version: number;
  readonly heads: readonly CID[];
  /** True when there are more heads than listed: the other side then treats them as unknown. */
  readonly headsTruncated: boolean;
  readonly blockCount: number;
  /** How many bytes of CAR stream the sender takes beyond those it called stored. */
  readonly windowBytes: number;
  /** The largest frame in bytes that the sender takes. */
  readonly maxFrameBytes: number;
  /** Names the sender's replica, so that a connection with oneself is noticed; empty for none. */
  readonly replicaId: Uint8Array;
  readonly history: HistoryKind;
  /** True when the sender takes `packed` as well as `car`. */
  readonly inflates: boolean;
  /** How many pages the sender has of snapshots that did not arrive whole; it lists them. */
  readonly pageCount: number;
  /** False when the sender stores nothing of what the other side has: blocks go one way. */
  readonly takes: boolean;
}

/**
 * What a side does with the past: `blocks` knows no snapshots; the others take them, `full` only where
 * it must. `pruned` holds some of its blocks only within a snapshot.
 */
export type HistoryKind = (typeof HISTORY_KINDS)[number];

export const HISTORY_KINDS = ['blocks', 'recent', 'full', 'recent-pruned', 'full-pruned'] as const;

/** What one session says to the other; each travels as one binary frame. */
export type Message =
  /** The first message of either side. */
  | Hello
  /** "I lack nothing of yours, and stream what you lack of mine." */
  | { readonly kind: 'known' }
  /**
   * "I may lack something of yours." With how many blocks I have, and the counts that tell how large
   * the difference is (`diff/riblt.ts`), or none. When both say so, the difference is looked for.
   */
  | { readonly kind: 'unknown'; readonly size: number; readonly counts: Uint8Array }
  /** A part of the list of all CIDs that I hold. */
  | { readonly kind: 'have'; readonly list: CidList; readonly last: boolean }
  /** A part of the context of what I have merged. */
  | { readonly kind: 'context'; readonly bytes: Uint8Array; readonly last: boolean }
  /** A part of the list of the pages that I have of snapshots that did not arrive whole. */
  | { readonly kind: 'pages'; readonly list: CidList; readonly last: boolean }
  /** My part of the first sync begins: so many blocks, so many bytes (0: not known). */
  | { readonly kind: 'expect'; readonly blocks: number; readonly bytes: number }
  /** The next bytes of my endless CAR. */
  | { readonly kind: 'car'; readonly bytes: Uint8Array }
  /** The same, deflated (RFC 1951); `length` bytes of CAR when it is inflated. */
  | { readonly kind: 'packed'; readonly length: number; readonly bytes: Uint8Array }
  /** My part of the first sync lies in the CAR bytes before this. */
  | { readonly kind: 'done' }
  /** So many bytes of your CAR, counted from its beginning, are stored here. */
  | { readonly kind: 'stored'; readonly bytes: number }
  /** I end the session, since something is wrong. */
  | { readonly kind: 'abort'; readonly reason: AbortReason; readonly text: string }
  /** I end the session in order; everything that I sent lies before this. */
  | { readonly kind: 'bye' }
  /** The next symbols of a flight that ends before symbol `end`, of a set of `size` blocks. */
  | {
      readonly kind: 'symbols';
      /** 8 bytes, or none for the sketch that a replica keeps. */
      readonly salt: Uint8Array;
      readonly first: number;
      readonly end: number;
      readonly size: number;
      readonly cells: Uint8Array;
    }
  /** These symbols are not enough: send those before `end`. */
  | { readonly kind: 'more'; readonly end: number }
  /** A part of the keys of what I lack of yours, one after the other. */
  | { readonly kind: 'want'; readonly keys: Uint8Array; readonly last: boolean }
  /** Somebody else streams to me: go on with your part when I say so. Live writes are welcome. */
  | { readonly kind: 'hold' }
  /** Go on, with what is not at or below these blocks. */
  | { readonly kind: 'go'; readonly cids: readonly CID[] }
  /** "I hold these blocks, which others brought: say so when you lack them." Keys, one after the other. */
  | { readonly kind: 'announce'; readonly keys: Uint8Array }
  /**
   * Of the keys that you announced, the first `count` of the session are answered: held here, or
   * fetched. `again` has the keys of blocks that came when they were here already.
   */
  | { readonly kind: 'held'; readonly count: number; readonly again: Uint8Array }
  /** "Send me these of the blocks that you announced." */
  | { readonly kind: 'fetch'; readonly keys: Uint8Array };

/** What is said to find out the difference. */
export type DiffMessage = Extract<Message, { kind: 'have' | 'symbols' | 'more' | 'want' }>;

const TAG_HELLO = 1;
const TAG_KNOWN = 2;
const TAG_UNKNOWN = 3;
const TAG_HAVE = 4;
const TAG_EXPECT = 5;
const TAG_CAR = 6;
const TAG_DONE = 7;
const TAG_STORED = 8;
const TAG_ABORT = 9;
const TAG_BYE = 10;
const TAG_SYMBOLS = 11;
const TAG_MORE = 12;
const TAG_WANT = 13;
const TAG_HOLD = 14;
const TAG_GO = 15;
const TAG_CONTEXT = 16;
const TAG_PACKED = 17;
const TAG_PAGES = 18;
const TAG_ANNOUNCE = 19;
const TAG_HELD = 20;
const TAG_FETCH = 21;

/** What a frame of counts and one byte string holds beside that string, at most. */
export const FRAME_OVERHEAD_BYTES = 64;

/** Cuts bytes into parts of at most so many; of no bytes one empty part. */
export function* byteParts(
  bytes: Uint8Array,
  partBytes: number,
): Generator<{ bytes: Uint8Array; last: boolean }> {
  for (let at = 0; at === 0 || at < bytes.length; at += partBytes) {
    yield { bytes: bytes.subarray(at, at + partBytes), last: at + partBytes >= bytes.length };
  }
}

/** A message that its sender must not send at this point. */
export function unexpected({ kind }: Message): ProtocolError {
  return new ProtocolError('unexpected-message', `${kind} must not come at this point`);
}

/** One side takes nothing, and the other one sent something, or wants to know when that is stored. */
export function takesNothing(): ProtocolError {
  return new ProtocolError('read-only', 'blocks go one way here: nothing is taken from this side');
}

/** One tag byte, then the fields as one dag-cbor array; CAR bytes stand as they are. */
export function encodeMessage(message: Message): Uint8Array {
  switch (message.kind) {
    case 'hello': {
      const heads = packCids(message.heads);
      return frameOf(TAG_HELLO, [
        message.version,
        heads.digests,
        heads.others,
        message.headsTruncated,
        message.blockCount,
        message.windowBytes,
        message.maxFrameBytes,
        message.replicaId,
        HISTORY_KINDS.indexOf(message.history),
        message.inflates,
        message.pageCount,
        message.takes,
      ]);
    }
    case 'known':
      return Uint8Array.of(TAG_KNOWN);
    case 'unknown':
      return frameOf(TAG_UNKNOWN, [message.size, message.counts]);
    case 'have':
      return frameOf(TAG_HAVE, [message.list.digests, message.list.others, message.last]);
    case 'pages':
      return frameOf(TAG_PAGES, [message.list.digests, message.list.others, message.last]);
    case 'context':
      return frameOf(TAG_CONTEXT, [message.bytes, message.last]);
    case 'expect':
      return frameOf(TAG_EXPECT, [message.blocks, message.bytes]);
    case 'car':
      return tagged(TAG_CAR, message.bytes);
    case 'packed':
      return frameOf(TAG_PACKED, [message.length, message.bytes]);
    case 'done':
      return Uint8Array.of(TAG_DONE);
    case 'stored':
      return frameOf(TAG_STORED, [message.bytes]);
    case 'abort':
      return frameOf(TAG_ABORT, [message.reason, message.text.slice(0, MAX_ABORT_TEXT)]);
    case 'bye':
      return Uint8Array.of(TAG_BYE);
    case 'symbols': {
      const { salt, first, end, size, cells } = message;
      return frameOf(TAG_SYMBOLS, [salt, first, end, size, cells]);
    }
    case 'more':
      return frameOf(TAG_MORE, [message.end]);
    case 'want':
      return frameOf(TAG_WANT, [message.keys, message.last]);
    case 'hold':
      return Uint8Array.of(TAG_HOLD);
    case 'go': {
      const cids = packCids(message.cids);
      return frameOf(TAG_GO, [cids.digests, cids.others]);
    }
    case 'announce':
      return frameOf(TAG_ANNOUNCE, [message.keys]);
    case 'held':
      return frameOf(TAG_HELD, [message.count, message.again]);
    case 'fetch':
      return frameOf(TAG_FETCH, [message.keys]);
  }
}

/**
 * Reads one frame. CAR bytes are a view of the frame.
 * @throws ProtocolError `malformed-frame`, `limit-exceeded` or `unsupported-version`
 */
export function decodeMessage(frame: Uint8Array): Message {
  const payload = frame.subarray(1);
  switch (frame[0] ?? 0) {
    case TAG_HELLO:
      return decodeHello(fieldsOf(payload));
    case TAG_KNOWN:
      return bare('known', payload);
    case TAG_UNKNOWN: {
      const [size, counts] = exactly(2, fieldsOf(payload));
      return { kind: 'unknown', size: count(size), counts: bytesOf(counts) };
    }
    case TAG_HAVE:
      return { kind: 'have', ...listOf(payload) };
    case TAG_PAGES:
      return { kind: 'pages', ...listOf(payload) };
    case TAG_CONTEXT: {
      const [bytes, last] = exactly(2, fieldsOf(payload));
      if (!(bytes instanceof Uint8Array)) throw malformed('context: no bytes');
      return { kind: 'context', bytes, last: flag(last) };
    }
    case TAG_EXPECT: {
      const [blocks, bytes] = exactly(2, fieldsOf(payload));
      return { kind: 'expect', blocks: count(blocks), bytes: count(bytes) };
    }
    case TAG_CAR:
      if (payload.length === 0) throw malformed('CAR bytes without bytes');
      return { kind: 'car', bytes: payload };
    case TAG_PACKED: {
      const [length, bytes] = exactly(2, fieldsOf(payload));
      if (!(bytes instanceof Uint8Array)) throw malformed('packed: no bytes');
      const packed = { kind: 'packed', length: count(length), bytes } as const;
      if (packed.length === 0 || packed.length > MAX_PACKED_BYTES) {
        throw new ProtocolError('limit-exceeded', `packed: ${packed.length} bytes of CAR`);
      }
      return packed;
    }
    case TAG_DONE:
      return bare('done', payload);
    case TAG_STORED:
      return { kind: 'stored', bytes: count(exactly(1, fieldsOf(payload))[0]) };
    case TAG_ABORT: {
      const [reason, text] = exactly(2, fieldsOf(payload));
      return { kind: 'abort', reason: abortReason(reason), text: abortText(text) };
    }
    case TAG_BYE:
      return bare('bye', payload);
    case TAG_SYMBOLS: {
      const [salt, first, end, size, cells] = exactly(5, fieldsOf(payload));
      return {
        kind: 'symbols',
        salt: saltOf(salt),
        first: count(first),
        end: count(end),
        size: count(size),
        cells: bytesOf(cells),
      };
    }
    case TAG_MORE:
      return { kind: 'more', end: count(exactly(1, fieldsOf(payload))[0]) };
    case TAG_WANT: {
      const [keys, last] = exactly(2, fieldsOf(payload));
      return { kind: 'want', keys: bytesOf(keys, KEY_BYTES), last: flag(last) };
    }
    case TAG_HOLD:
      return bare('hold', payload);
    case TAG_GO: {
      const [digests, others] = exactly(2, fieldsOf(payload));
      return { kind: 'go', cids: headsOf('go', digests, others) };
    }
    case TAG_ANNOUNCE:
      return { kind: 'announce', keys: someKeys('announce', payload) };
    case TAG_HELD: {
      const [answered, again] = exactly(2, fieldsOf(payload));
      return { kind: 'held', count: count(answered), again: bytesOf(again, KEY_BYTES) };
    }
    case TAG_FETCH:
      return { kind: 'fetch', keys: someKeys('fetch', payload) };
    default:
      throw malformed(frame.length === 0 ? 'an empty frame' : `unknown tag ${frame[0]}`);
  }
}

/** The frame of a `car` message whose bytes lie in parts, `length` in all: copied once, not twice. */
export function encodeCarFrame(parts: readonly Uint8Array[], length: number): Uint8Array {
  const frame = new Uint8Array(1 + length);
  frame[0] = TAG_CAR;
  let at = 1;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

// --- writing ---

function frameOf(tag: number, fields: readonly unknown[]): Uint8Array {
  return tagged(tag, encodeCbor(fields));
}

function tagged(tag: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + payload.length);
  frame[0] = tag;
  frame.set(payload, 1);
  return frame;
}

// --- reading ---

/** The version stands first and is looked at first: later versions may have other fields. */
function decodeHello(fields: readonly unknown[]): Hello {
  const version = count(fields[0]);
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      'unsupported-version',
      `the other side speaks version ${version}, this side speaks ${PROTOCOL_VERSION}`,
    );
  }
  const [
    ,
    digests,
    others,
    truncated,
    blockCount,
    windowBytes,
    maxFrameBytes,
    replicaId,
    kind,
    inflates,
    pageCount,
    takes,
  ] = exactly(12, fields);
  const heads = headsOf('hello', digests, others);
  if (!(replicaId instanceof Uint8Array) || replicaId.length > MAX_REPLICA_ID_BYTES) {
    throw malformed('hello: its replica id is no short byte string');
  }
  const history = HISTORY_KINDS[count(kind)];
  if (history === undefined) throw malformed('hello: an unknown kind of history');
  const hello: Hello = {
    kind: 'hello',
    version,
    heads,
    headsTruncated: flag(truncated),
    blockCount: count(blockCount),
    windowBytes: count(windowBytes),
    maxFrameBytes: count(maxFrameBytes),
    replicaId,
    history,
    inflates: flag(inflates),
    pageCount: count(pageCount),
    takes: flag(takes),
  };
  if (hello.windowBytes < MIN_WINDOW_BYTES || hello.maxFrameBytes < MIN_FRAME_BYTES) {
    throw new ProtocolError(
      'limit-exceeded',
      `hello: a window of ${hello.windowBytes} or frames of ${hello.maxFrameBytes} bytes are too small`,
    );
  }
  return hello;
}

function headsOf(kind: string, digests: unknown, others: unknown): CID[] {
  const heads = parseCidList(digests, others);
  if (countOf(heads) > MAX_HELLO_HEADS) {
    throw new ProtocolError('limit-exceeded', `${kind}: more than ${MAX_HELLO_HEADS} heads`);
  }
  return unpackCids(heads);
}

/** A part of a list, and whether it is the last one. */
function listOf(payload: Uint8Array): { list: CidList; last: boolean } {
  const [digests, others, last] = exactly(3, fieldsOf(payload));
  return { list: parseCidList(digests, others), last: flag(last) };
}

function fieldsOf(payload: Uint8Array): unknown[] {
  let fields: unknown;
  try {
    fields = decodeCbor(payload);
  } catch (cause) {
    throw new ProtocolError('malformed-frame', 'the fields of a message are no dag-cbor', {
      cause,
    });
  }
  if (!Array.isArray(fields)) throw malformed('the fields of a message are no array');
  return fields;
}

function exactly(length: number, fields: readonly unknown[]): readonly unknown[] {
  if (fields.length !== length) {
    throw malformed(`a message of ${fields.length} fields instead of ${length}`);
  }
  return fields;
}

function bare<K extends 'known' | 'done' | 'bye' | 'hold'>(
  kind: K,
  payload: Uint8Array,
): { kind: K } {
  if (payload.length > 0) throw malformed(`${kind}: bytes after its tag`);
  return { kind };
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw malformed('a count or size is no whole number');
  }
  return value;
}

function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw malformed('a flag is neither true nor false');
  return value;
}

/** Bytes that are whole units of so many. */
function bytesOf(value: unknown, unit = 1): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length % unit !== 0) {
    throw malformed('a byte string that is none, or of the wrong length');
  }
  return value;
}

function someKeys(kind: string, payload: Uint8Array): Uint8Array {
  const keys = bytesOf(exactly(1, fieldsOf(payload))[0], KEY_BYTES);
  if (keys.length === 0) throw malformed(`${kind}: no keys`);
  return keys;
}

function saltOf(value: unknown): Uint8Array {
  const salt = bytesOf(value, SALT_BYTES);
  if (salt.length > SALT_BYTES) throw malformed('a salt that is too long');
  return salt;
}

function abortReason(value: unknown): AbortReason {
  const reason = ABORT_REASONS.find((known) => known === value);
  if (reason === undefined) throw malformed('abort: an unknown reason');
  return reason;
}

function abortText(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_ABORT_TEXT) {
    throw malformed('abort: its text is no short string');
  }
  return value;
}

function malformed(text: string): ProtocolError {
  return new ProtocolError('malformed-frame', text);
}
