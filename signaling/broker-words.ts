import type { MemberAt, RoomWord, ServerWord } from './broker.ts';
import { isAddress, isData, MAX_LISTED_MEMBERS, readObject } from './messages.ts';

/**
 * How far another server's clock may be ahead. All follow the one that is furthest ahead, so a word
 * from beyond that would move them all.
 */
export const MAX_AHEAD_MS: number = 60 * 60 * 1000;

const SERVER_PATTERN = /^[A-Za-z0-9_-]{22}$/;

/** What bounds a word: the largest `data`, in characters, and the present, by `Date.now`. */
export interface WordLimits {
  readonly maxDataCharacters: number;
  readonly nowMs: number;
}

/** The word about a room that another server has published; undefined for anything else. */
export function parseRoomWord(text: string, limits: WordLimits): RoomWord | undefined {
  const fields = readObject(text);
  if (fields === undefined) return undefined;
  const { type, server, member, at } = fields;
  if (!isServer(server)) return undefined;
  switch (type) {
    case 'entered':
      return isAddress(member) && isTime(at, limits) ? { type, server, member, at } : undefined;
    case 'left':
      return isAddress(member) ? { type, server, member } : undefined;
    case 'message': {
      const { from, to, data } = fields;
      if (!isAddress(from) || !isAddress(to) || !isData(data)) return undefined;
      return data.length <= limits.maxDataCharacters ? { type, server, from, to, data } : undefined;
    }
    case 'who':
      return { type, server };
    case 'here': {
      const { members } = fields;
      if (!Array.isArray(members) || members.length > MAX_LISTED_MEMBERS) return undefined;
      const isMember = (each: unknown): each is MemberAt =>
        Array.isArray(each) && each.length === 2 && isAddress(each[0]) && isTime(each[1], limits);
      return members.every(isMember) ? { type, server, members } : undefined;
    }
    default:
      return undefined;
  }
}

/** The word that another server has published to all; undefined for anything else. */
export function parseServerWord(text: string, limits: WordLimits): ServerWord | undefined {
  const { type, server, at } = readObject(text) ?? {};
  if (type !== 'alive' || !isServer(server) || !isTime(at, limits)) return undefined;
  return { type, server, at };
}

function isServer(value: unknown): value is string {
  return typeof value === 'string' && SERVER_PATTERN.test(value);
}

function isTime(value: unknown, { nowMs }: WordLimits): value is number {
  return (
    Number.isSafeInteger(value) &&
    (value as number) >= 0 &&
    (value as number) <= (nowMs + MAX_AHEAD_MS) * 1000
  );
}
