import { decode, encode } from '../dag-cbor.ts';
import { ProtocolError } from '../errors.ts';
import { type Card, isMemberId, readCard } from './card.ts';
import { MAX_VALUE_BYTES } from './value.ts';

/** What linked members tell each other beside their session. */
export type MemberMessage =
  /**
   * A sign of life, once a second. `at` is the sender's clock in milliseconds, `echo` the `at` that it
   * heard last and `heldMs` how long ago; `wanted` tells whether it would make this link again.
   */
  | {
      readonly kind: 'beat';
      readonly at: number;
      readonly echo: number;
      readonly heldMs: number;
      readonly wanted: boolean;
    }
  /** Who its author is and whom it is linked with; handed on to everybody. */
  | {
      readonly kind: 'beacon';
      readonly card: Card;
      readonly number: number;
      readonly links: readonly string[];
    }
  /**
   * The author's last value as dag-cbor, or undefined for none; handed on. One that is `settled` has
   * not changed for a while, and goes reliably; others are soon followed by the next.
   */
  | {
      readonly kind: 'presence';
      readonly from: string;
      readonly number: number;
      readonly value: Uint8Array | undefined;
      readonly settled: boolean;
    }
  /** A message to everybody; handed on. `value` is dag-cbor. */
  | {
      readonly kind: 'event';
      readonly from: string;
      readonly number: number;
      readonly value: Uint8Array;
    }
  /** The author leaves the room; handed on. */
  | { readonly kind: 'leaving'; readonly from: string }
  /** A sealed envelope for a member that the receiver is linked with. */
  | {
      readonly kind: 'relay';
      readonly from: string;
      readonly to: string;
      readonly data: string;
    };

const TAG_BEAT = 1;
const TAG_BEACON = 2;
const TAG_PRESENCE = 3;
const TAG_EVENT = 4;
const TAG_LEAVING = 5;
const TAG_RELAY = 6;

export const MAX_BEACON_LINKS = 256;
const DATA_PATTERN = /^[A-Za-z0-9_-]*$/;

/** One dag-cbor array: the tag, then the fields. */
export function encodeMemberMessage(message: MemberMessage): Uint8Array {
  switch (message.kind) {
    case 'beat':
      return encode([TAG_BEAT, message.at, message.echo, message.heldMs, message.wanted]);
    case 'beacon':
      return encode([TAG_BEACON, message.card, message.number, message.links]);
    case 'presence':
      return encode([
        TAG_PRESENCE,
        message.from,
        message.number,
        message.value ?? null,
        message.settled,
      ]);
    case 'event':
      return encode([TAG_EVENT, message.from, message.number, message.value]);
    case 'leaving':
      return encode([TAG_LEAVING, message.from]);
    case 'relay':
      return encode([TAG_RELAY, message.from, message.to, message.data]);
  }
}

/** @throws ProtocolError `malformed-frame` */
export function decodeMemberMessage(bytes: Uint8Array): MemberMessage {
  const message = read(bytes);
  if (message !== undefined) return message;
  throw new ProtocolError('malformed-frame', 'a message beside the session that is none');
}

function read(bytes: Uint8Array): MemberMessage | undefined {
  const fields = decodeArray(bytes);
  if (fields === undefined) return undefined;
  const [tag, first, second, third, fourth] = fields;
  switch (tag) {
    case TAG_BEAT:
      if (!isNumber(first) || !isNumber(second) || !isNumber(third)) return undefined;
      if (typeof fourth !== 'boolean') return undefined;
      return { kind: 'beat', at: first, echo: second, heldMs: third, wanted: fourth };
    case TAG_BEACON: {
      const card = readCard(first);
      if (card === undefined || !isNumber(second) || !Array.isArray(third)) return undefined;
      if (third.length > MAX_BEACON_LINKS || !third.every(isMemberId)) return undefined;
      return { kind: 'beacon', card, number: second, links: third };
    }
    case TAG_PRESENCE: {
      if (!isMemberId(first) || !isNumber(second)) return undefined;
      if (third !== null && !isValue(third)) return undefined;
      if (typeof fourth !== 'boolean') return undefined;
      const value = third ?? undefined;
      return { kind: 'presence', from: first, number: second, value, settled: fourth };
    }
    case TAG_EVENT:
      if (!isMemberId(first) || !isNumber(second) || !isValue(third)) return undefined;
      return { kind: 'event', from: first, number: second, value: third };
    case TAG_LEAVING:
      return isMemberId(first) ? { kind: 'leaving', from: first } : undefined;
    case TAG_RELAY:
      if (!isMemberId(first) || !isMemberId(second)) return undefined;
      if (typeof third !== 'string' || !DATA_PATTERN.test(third)) return undefined;
      return { kind: 'relay', from: first, to: second, data: third };
    default:
      return undefined;
  }
}

function decodeArray(bytes: Uint8Array): unknown[] | undefined {
  try {
    const value: unknown = decode(bytes);
    return Array.isArray(value) ? (value as unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isValue(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= MAX_VALUE_BYTES;
}
