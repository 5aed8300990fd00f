/**
 * Colours of writers, apart from each other for all kinds of eyes (after Okabe and Ito), each for dark
 * and for light grounds.
 */
const DARK = [
  '#ff9d42',
  '#5cc0f5',
  '#2fcf9f',
  '#f5e660',
  '#e58fc0',
  '#7ea6ff',
  '#ff7d5c',
  '#c9c2ba',
];
const LIGHT = [
  '#c25a00',
  '#0b74b5',
  '#00765a',
  '#7d6b00',
  '#a83f7c',
  '#3558c4',
  '#c0391b',
  '#6a625a',
];

/** How many colours there are: beyond so many they come again. */
export const COLOUR_COUNT: number = DARK.length;

export function writerColour(lane: number, isDark: boolean): string {
  return (isDark ? DARK : LIGHT)[lane % COLOUR_COUNT]!;
}
