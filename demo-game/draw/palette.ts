import { COLOURS } from '../colours.ts';

/** Red, green and blue from 0 to 255. */
export type Rgb = readonly [number, number, number];

const PLAYERS: readonly Rgb[] = COLOURS.map(({ value }) => {
  const number = parseInt(value.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
});

/** What sprites are painted with: the players' colours first, by their index. */
export const TINTS: readonly Rgb[] = [
  ...PLAYERS,
  [255, 246, 232],
  [255, 150, 40],
  [120, 220, 255],
  [10, 8, 8],
];
export const WHITE: number = PLAYERS.length;
/** Of embers that make fast, and of those that make wide. */
export const GOLD: number = WHITE + 1;
export const ICE: number = WHITE + 2;
export const SOOT: number = WHITE + 3;

export function tintOf(colour: number): number {
  return colour % PLAYERS.length;
}

export function rgbOf(colour: number): Rgb {
  return TINTS[tintOf(colour)]!;
}
