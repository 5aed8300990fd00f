import { type Card, isMemberId, readCard } from './card.ts';
import { type LinkSignal, MAX_LINK_SIGNAL_CHARACTERS } from './link.ts';

/**
 * What members tell each other before they are linked, sealed: whoever carries it can read nothing,
 * and change nothing without it being noticed.
 *
 * A `knock` may be one of old times, shown again; so a member counts as there only when it has
 * answered a nonce of ours. Ids are random, and of one stay: what is addressed to ours was said since
 * we came. Numbers tell copies apart.
 */
export type Envelope =
  /** I am here; whoever opens this, say so. */
  | { readonly type: 'knock'; readonly card: Card; readonly nonce: string }
  /** So am I: the answer to a knock, or with an empty nonce the answer to that answer. */
  | {
      readonly type: 'here';
      readonly card: Card;
      readonly to: string;
      readonly echo: string;
      readonly nonce: string;
    }
  | {
      readonly type: 'said';
      readonly from: string;
      readonly to: string;
      /** Grows, for each pair of members. */
      readonly number: number;
      readonly body: Said;
    }
  /** I leave. */
  | { readonly type: 'bye'; readonly from: string };

/** Of two members the one with the smaller id makes each attempt at a link, and numbers it. */
export type Said =
  /** From the greater id: make a link. `lost` is the number of the attempt that is over, if any. */
  | { readonly kind: 'call'; readonly lost: number }
  | { readonly kind: 'signal'; readonly attempt: number; readonly signal: LinkSignal }
  /** This attempt, or its link, is over on my side. */
  | { readonly kind: 'over'; readonly attempt: number; readonly reason: OverReason };

/**
 * `ended`: it failed, or the link broke; `full`: no more links here; `refused`: I do not want to be
 * linked with you at all.
 */
export type OverReason = 'ended' | 'full' | 'refused';

const NONCE_PATTERN = /^[A-Za-z0-9_-]{0,22}$/;
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return utf8.encode(JSON.stringify(envelope));
}

/** What a member sealed; undefined when it makes no sense, as of a later version. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  const fields = parse(bytes);
  if (fields === undefined) return undefined;
  const { type, to, from } = fields;
  switch (type) {
    case 'knock': {
      const card = readCard(fields['card']);
      const { nonce } = fields;
      return card !== undefined && isNonce(nonce) ? { type, card, nonce } : undefined;
    }
    case 'here': {
      const card = readCard(fields['card']);
      const { echo, nonce } = fields;
      if (card === undefined || !isMemberId(to) || !isNonce(echo) || !isNonce(nonce)) {
        return undefined;
      }
      return { type, card, to, echo, nonce };
    }
    case 'said': {
      const { number } = fields;
      const body = readSaid(fields['body']);
      if (!isMemberId(from) || !isMemberId(to) || !isCount(number) || body === undefined) {
        return undefined;
      }
      return { type, from, to, number, body };
    }
    case 'bye':
      return isMemberId(from) ? { type, from } : undefined;
    default:
      return undefined;
  }
}

function readSaid(value: unknown): Said | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, lost, attempt, signal, reason } = value as Record<string, unknown>;
  switch (kind) {
    case 'call':
      return isCount(lost) ? { kind, lost } : undefined;
    case 'signal': {
      if (!isCount(attempt) || typeof signal !== 'object' || signal === null) return undefined;
      const { number, text } = signal as Record<string, unknown>;
      if (!isCount(number) || typeof text !== 'string') return undefined;
      if (text.length > MAX_LINK_SIGNAL_CHARACTERS) return undefined;
      return { kind, attempt, signal: { number, text } };
    }
    case 'over':
      if (!isCount(attempt)) return undefined;
      if (reason !== 'ended' && reason !== 'full' && reason !== 'refused') return undefined;
      return { kind, attempt, reason };
    default:
      return undefined;
  }
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(fromUtf8.decode(bytes));
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isNonce(value: unknown): value is string {
  return typeof value === 'string' && NONCE_PATTERN.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
