/** What players are told apart by, on a dark ground, by people who see colours in any way. */
export interface Colour {
  readonly name: string;
  /** `#rrggbb`. */
  readonly value: string;
}

/**
 * Found by trying: of eight colours that are no darker, those whose nearest two are furthest apart for
 * people with and without cones for red, green and blue. test/game/colours.test.ts measures it.
 */
export const COLOURS: readonly Colour[] = [
  { name: 'amber', value: '#c19d10' },
  { name: 'violet', value: '#b99dff' },
  { name: 'green', value: '#49ff95' },
  { name: 'yellow', value: '#eefb17' },
  { name: 'blue', value: '#1e64ee' },
  { name: 'red', value: '#d62644' },
  { name: 'pink', value: '#d75798' },
  { name: 'ice', value: '#c8ffff' },
];

/** The first colour, from `wanted` on, that nobody has; `wanted` itself when all are taken. */
export function freeColour(wanted: number, taken: ReadonlySet<number>): number {
  for (let step = 0; step < COLOURS.length; step++) {
    const colour = (wanted + step) % COLOURS.length;
    if (!taken.has(colour)) return colour;
  }
  return wanted;
}
