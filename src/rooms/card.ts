import { base64url } from 'multiformats/bases/base64';

/** Who a member of a room is, as it says itself to those who know the room's secret. */
export interface Card {
  /** Of this one stay in the room: 16 random bytes as 22 characters of base64url. */
  readonly id: string;
  /** Of the ledger, in base64url: the same after a reload. Empty where it has none. */
  readonly replica: string;
  /** When this stay began: milliseconds since 1970 by the member's own clock. */
  readonly startedAt: number;
  /** `read`: what it writes is not taken by others. */
  readonly access: 'read' | 'write';
  /** What the app says of its user: JSON of at most `MAX_INFO_CHARACTERS`, or empty. */
  readonly info: string;
}

export const MAX_INFO_CHARACTERS = 1024;

const ID_PATTERN = /^[A-Za-z0-9_-]{22}$/;
const REPLICA_PATTERN = /^[A-Za-z0-9_-]{0,86}$/;

/** An id for one stay in a room. */
export function createMemberId(): string {
  return base64url.baseEncode(crypto.getRandomValues(new Uint8Array(16)));
}

export function isMemberId(value: unknown): value is string {
  return typeof value === 'string' && ID_PATTERN.test(value);
}

/** The card in what somebody sent; undefined when it is none. */
export function readCard(value: unknown): Card | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, replica, startedAt, access, info } = value as Record<string, unknown>;
  if (!isMemberId(id)) return undefined;
  if (typeof replica !== 'string' || !REPLICA_PATTERN.test(replica)) return undefined;
  if (!Number.isSafeInteger(startedAt) || (access !== 'read' && access !== 'write'))
    return undefined;
  if (typeof info !== 'string' || info.length > MAX_INFO_CHARACTERS) return undefined;
  return { id, replica, startedAt: startedAt as number, access, info };
}
