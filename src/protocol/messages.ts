import { decode as decodeCbor, encode as encodeCbor } from '../dag-cbor.ts';
import type { CID } from 'multiformats/cid';
import { MAX_BLOCK_BYTES } from '../blocks.ts';
import { concatBytes } from '../bytes.ts';
import { ProtocolError } from '../errors.ts';
import { KEY_BYTES, SALT_BYTES } from '../sketch.ts';
import { type CidList, countOf, packCids, parseCidList, unpackCids } from './diff/list.ts';
import { malformed, outOfTurn, overLimit } from './violations.ts';

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
  return outOfTurn(`${kind} must not come at this point`);
}

/** One side takes nothing, and the other one sent something, or wants to know when that is stored. */
export function takesNothing(): ProtocolError {
  return new ProtocolError('read-only', 'blocks go one way here: nothing is taken from this side');
}

/** One tag byte, then the fields as one dag-cbor array, if there are any; CAR bytes stand as they are. */
export function encodeMessage(message: Message): Uint8Array {
  if (message.kind === 'car') return encodeCarFrame([message.bytes]);
  const { tag, fields } = FRAMES_BY_KIND.get(message.kind)!;
  const values = fields.flatMap(([name, form]) => form.write(Reflect.get(message, name)));
  return concatBytes([Uint8Array.of(tag), ...(values.length === 0 ? [] : [encodeCbor(values)])]);
}

/**
 * Reads one frame. CAR bytes are a view of the frame.
 * @throws ProtocolError `malformed-frame`, `limit-exceeded` or `unsupported-version`
 */
export function decodeMessage(frame: Uint8Array): Message {
  const [tag] = frame;
  if (tag === undefined) throw malformed('an empty frame');
  const payload = frame.subarray(1);
  if (tag === CAR_TAG) {
    if (payload.length === 0) throw malformed('CAR bytes without bytes');
    return { kind: 'car', bytes: payload };
  }
  const form = FRAMES_BY_TAG.get(tag);
  if (form === undefined) throw malformed(`unknown tag ${tag}`);
  const { kind, fields } = form;
  const values = payload.length === 0 ? [] : valuesOf(payload);
  let read = 0;
  const next = (): unknown => values[read++];
  const message = fields.map(([name, field]) => [name, field.read(next, `${kind}.${name}`)]);
  if (read !== values.length || (read === 0 && payload.length > 0)) {
    throw malformed(`${kind}: more than its fields`);
  }
  return { kind, ...Object.fromEntries(message) } as Message;
}

/** The frame of a `car` message whose bytes lie in parts: copied once, not twice. */
export function encodeCarFrame(parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes([Uint8Array.of(CAR_TAG), ...parts]);
}

function valuesOf(payload: Uint8Array): unknown[] {
  let values: unknown;
  try {
    values = decodeCbor(payload);
  } catch (cause) {
    throw malformed('the fields of a message are no dag-cbor', cause);
  }
  if (!Array.isArray(values)) throw malformed('the fields of a message are no array');
  return values;
}

// --- fields ---

/** How a field of a message lies in its frame: as one value, or as several. */
interface Form<T> {
  write(value: T): readonly unknown[];
  /**
   * @param next gives the next value of the frame, undefined behind the last
   * @param what the field, for the error
   * @throws ProtocolError
   */
  read(next: () => unknown, what: string): T;
}

function one<T>(read: (value: unknown, what: string) => T): Form<T> {
  return { write: (value) => [value], read: (next, what) => read(next(), what) };
}

const count = one((value, what) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(`${what}: no whole number`);
  }
  return value;
});

/** A count that a side may not choose freely. */
function countWithin(least: number, most: number): Form<number> {
  return one((value, what) => {
    const number = count.read(() => value, what);
    if (number >= least && number <= most) return number;
    throw overLimit(`${what}: ${number}, not ${least} to ${most}`);
  });
}

/** Another one is told before anything else: later versions may have other fields. */
const ourVersion = one((value, what) => {
  const version = count.read(() => value, what);
  if (version === PROTOCOL_VERSION) return version;
  throw new ProtocolError(
    'unsupported-version',
    `the other side speaks version ${version}, this side speaks ${PROTOCOL_VERSION}`,
  );
});

const flag = one((value, what) => {
  if (typeof value !== 'boolean') throw malformed(`${what}: neither true nor false`);
  return value;
});

/** Bytes that are whole units of so many. */
function bytesOf({ unit = 1, least = 0, most = Infinity } = {}): Form<Uint8Array> {
  return one((value, what) => {
    if (!(value instanceof Uint8Array)) throw malformed(`${what}: no bytes`);
    const { length } = value;
    if (length % unit === 0 && length >= least && length <= most) return value;
    throw malformed(`${what}: ${length} bytes`);
  });
}

const bytes = bytesOf();
const keys = bytesOf({ unit: KEY_BYTES });
const someKeys = bytesOf({ unit: KEY_BYTES, least: KEY_BYTES });

const abortReason = one((value, what) => {
  const reason = ABORT_REASONS.find((known) => known === value);
  if (reason === undefined) throw malformed(`${what}: an unknown one`);
  return reason;
});

const abortText: Form<string> = {
  write: (text) => [text.slice(0, MAX_ABORT_TEXT)],
  read: (next, what) => {
    const text = next();
    if (typeof text === 'string' && text.length <= MAX_ABORT_TEXT) return text;
    throw malformed(`${what}: no short text`);
  },
};

const history: Form<HistoryKind> = {
  write: (kind) => [HISTORY_KINDS.indexOf(kind)],
  read: (next, what) => {
    const kind = HISTORY_KINDS[count.read(next, what)];
    if (kind === undefined) throw malformed(`${what}: an unknown kind`);
    return kind;
  },
};

const cidList: Form<CidList> = {
  write: ({ digests, others }) => [digests, others],
  read: (next) => parseCidList(next(), next()),
};

/** CIDs that are no part of a longer list. */
const fewCids: Form<readonly CID[]> = {
  write: (cids) => cidList.write(packCids(cids)),
  read: (next, what) => {
    const list = cidList.read(next, what);
    if (countOf(list) <= MAX_HELLO_HEADS) return unpackCids(list);
    throw overLimit(`${what}: more than ${MAX_HELLO_HEADS} CIDs`);
  },
};

// --- frames ---

/** CAR bytes stand as they are. */
const CAR_TAG = 6;

type Kind = Exclude<Message['kind'], 'car'>;
type FieldsOf<K extends Kind> = Omit<Extract<Message, { kind: K }>, 'kind'>;

/** What each message looks like: its tag, and its fields in the order in which they lie in the frame. */
const FRAMES: {
  readonly [K in Kind]: {
    readonly tag: number;
    readonly fields: { readonly [F in keyof FieldsOf<K>]: Form<FieldsOf<K>[F]> };
  };
} = {
  hello: {
    tag: 1,
    fields: {
      version: ourVersion,
      heads: fewCids,
      headsTruncated: flag,
      blockCount: count,
      windowBytes: countWithin(MIN_WINDOW_BYTES, Number.MAX_SAFE_INTEGER),
      maxFrameBytes: countWithin(MIN_FRAME_BYTES, Number.MAX_SAFE_INTEGER),
      replicaId: bytesOf({ most: MAX_REPLICA_ID_BYTES }),
      history,
      inflates: flag,
      pageCount: count,
      takes: flag,
    },
  },
  known: { tag: 2, fields: {} },
  unknown: { tag: 3, fields: { size: count, counts: bytes } },
  have: { tag: 4, fields: { list: cidList, last: flag } },
  expect: { tag: 5, fields: { blocks: count, bytes: count } },
  done: { tag: 7, fields: {} },
  stored: { tag: 8, fields: { bytes: count } },
  abort: { tag: 9, fields: { reason: abortReason, text: abortText } },
  bye: { tag: 10, fields: {} },
  symbols: {
    tag: 11,
    fields: {
      salt: bytesOf({ unit: SALT_BYTES, most: SALT_BYTES }),
      first: count,
      end: count,
      size: count,
      cells: bytes,
    },
  },
  more: { tag: 12, fields: { end: count } },
  want: { tag: 13, fields: { keys, last: flag } },
  hold: { tag: 14, fields: {} },
  go: { tag: 15, fields: { cids: fewCids } },
  context: { tag: 16, fields: { bytes, last: flag } },
  packed: { tag: 17, fields: { length: countWithin(1, MAX_PACKED_BYTES), bytes } },
  pages: { tag: 18, fields: { list: cidList, last: flag } },
  announce: { tag: 19, fields: { keys: someKeys } },
  held: { tag: 20, fields: { count, again: keys } },
  fetch: { tag: 21, fields: { keys: someKeys } },
};

interface Frame {
  readonly kind: string;
  readonly tag: number;
  readonly fields: readonly (readonly [name: string, form: Form<unknown>])[];
}

const frames = Object.entries(FRAMES).map(([kind, { tag, fields }]): Frame => ({
  kind,
  tag,
  fields: Object.entries(fields),
}));
const FRAMES_BY_KIND = new Map(frames.map((frame) => [frame.kind, frame]));
const FRAMES_BY_TAG = new Map(frames.map((frame) => [frame.tag, frame]));
