/**
 * The documents that the game keeps in its ledger: their ids, and what is believed of what they hold.
 * Anybody in the room can write anything, so what is not as it should be is as if it were not there.
 *
 *     round:000012            startedAt
 *     tiles:000012:05         of chunk 5: the owner of each tile, by its place there
 *     embers:000012           who took each ember, by its index
 *     result:000012           ranking
 *     player:<id>             name, colour
 *     chat:<time>-<id>        text
 */
import type { Document } from 'emberlink';
import { COLOURS } from './colours.ts';
import { CHUNK_TILES, CHUNKS } from './world.ts';

export type DocumentKind =
  | { readonly kind: 'round'; readonly round: number }
  | { readonly kind: 'tiles'; readonly round: number; readonly chunk: number }
  | { readonly kind: 'embers'; readonly round: number }
  | { readonly kind: 'result'; readonly round: number }
  | { readonly kind: 'player'; readonly player: string }
  | { readonly kind: 'chat'; readonly at: number; readonly player: string };

export interface Profile {
  readonly name: string;
  readonly colour: number;
}

export const MOST_NAME_LETTERS = 16;
export const MOST_TEXT_LETTERS = 200;

const PLAYER = '[0-9a-f]{16}(?:-[12])?';
const PLAYER_ID = new RegExp(`^${PLAYER}$`);
const CHAT_ID = new RegExp(`^chat:(\\d{13})-(${PLAYER})$`);
const ROUND_ID = /^(round|embers|result):(\d{6})$/;
const TILES_ID = /^tiles:(\d{6}):(\d{2})$/;

// --- ids ---

export const roundId = (round: number): string => `round:${digits(round)}`;
export const tilesPrefix = (round: number): string => `tiles:${digits(round)}:`;
export const tilesId = (round: number, chunk: number): string =>
  `${tilesPrefix(round)}${String(chunk).padStart(2, '0')}`;
export const embersId = (round: number): string => `embers:${digits(round)}`;
export const resultId = (round: number): string => `result:${digits(round)}`;
export const profileId = (player: string): string => `player:${player}`;
export const chatId = (at: number, player: string): string =>
  `chat:${String(at).padStart(13, '0')}-${player}`;

/** What a document is about; undefined for one that is none of the game's. */
export function kindOf(id: string): DocumentKind | undefined {
  const tiles = TILES_ID.exec(id);
  if (tiles !== null) {
    const chunk = Number(tiles[2]);
    return chunk < CHUNKS ? { kind: 'tiles', round: Number(tiles[1]), chunk } : undefined;
  }
  const round = ROUND_ID.exec(id);
  if (round !== null) {
    return { kind: round[1] as 'round' | 'embers' | 'result', round: Number(round[2]) };
  }
  const chat = CHAT_ID.exec(id);
  if (chat !== null) return { kind: 'chat', at: Number(chat[1]), player: chat[2]! };
  const player = id.startsWith('player:') ? id.slice('player:'.length) : undefined;
  return isPlayerId(player) ? { kind: 'player', player } : undefined;
}

/** The two bots of somebody are players of their own, named after that one. */
export const botId = (player: string, index: number): string => `${player}-${index + 1}`;
export const isBot = (player: string): boolean => player.includes('-');

export function isPlayerId(value: unknown): value is string {
  return typeof value === 'string' && PLAYER_ID.test(value);
}

// --- what they hold ---

/** When a round began, in milliseconds since 1970. */
export function readStart(document: Document | undefined): number | undefined {
  const startedAt = document?.['startedAt'];
  return Number.isSafeInteger(startedAt) && (startedAt as number) > 0
    ? (startedAt as number)
    : undefined;
}

/** Tells the owner of each place of a chunk; undefined where it has none. */
export function readTiles(
  document: Document | undefined,
  tell: (place: number, owner: string | undefined) => void,
): void {
  for (let place = 0; place < CHUNK_TILES; place++) {
    const owner = document?.[String(place)];
    tell(place, isPlayerId(owner) ? owner : undefined);
  }
}

/** Who took which ember. */
export function readEmbers(document: Document | undefined): [number, string][] {
  const taken: [number, string][] = [];
  for (const [field, player] of Object.entries(document ?? {})) {
    if (/^\d{1,3}$/.test(field) && isPlayerId(player)) taken.push([Number(field), player]);
  }
  return taken;
}

export function readProfile(document: Document | undefined): Profile | undefined {
  if (document === undefined) return undefined;
  const { name, colour } = document;
  const isColour = Number.isInteger(colour) && (colour as number) in COLOURS;
  return {
    name: (typeof name === 'string' ? plain(name, MOST_NAME_LETTERS) : '') || 'somebody',
    colour: isColour ? (colour as number) : 0,
  };
}

export function readRanking(document: Document | undefined): [string, number][] | undefined {
  const ranking = document?.['ranking'];
  if (!Array.isArray(ranking) || ranking.length > 255) return undefined;
  const read: [string, number][] = [];
  for (const entry of ranking) {
    if (!Array.isArray(entry) || !isPlayerId(entry[0]) || !Number.isSafeInteger(entry[1])) {
      return undefined;
    }
    read.push([entry[0], entry[1] as number]);
  }
  return read;
}

export function readText(document: Document | undefined): string | undefined {
  const text = document?.['text'];
  return (typeof text === 'string' && plain(text, MOST_TEXT_LETTERS)) || undefined;
}

/** One line of text without anything invisible, cut after so many letters. */
export function plain(text: string, mostLetters: number): string {
  // Of what may be very long only the beginning is looked at.
  const visible = text
    .slice(0, 4 * mostLetters)
    .replaceAll(/[\s\p{C}]+/gu, ' ')
    .trim();
  return lettersOf(visible).slice(0, mostLetters).join('').trim();
}

/** As people count them. */
export function lettersOf(text: string): string[] {
  return Array.from(LETTERS.segment(text), ({ segment }) => segment);
}

const LETTERS = new Intl.Segmenter();

function digits(round: number): string {
  return String(round).padStart(6, '0');
}
