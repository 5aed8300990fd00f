/** What players are told apart by, on a dark ground, by people who see colours in any way. */
export interface Colour {
  readonly name: string;
  /** `#rrggbb`. */
  readonly value: string;
}

export const COLOURS: readonly Colour[] = [
  { name: 'orange', value: '#e69f00' },
  { name: 'sky', value: '#56b4e9' },
  { name: 'green', value: '#009e73' },
  { name: 'yellow', value: '#f0e442' },
  { name: 'blue', value: '#0072b2' },
  { name: 'vermilion', value: '#d55e00' },
  { name: 'pink', value: '#cc79a7' },
  { name: 'white', value: '#ffffff' },
];

/** The first colour, from `wanted` on, that nobody has; `wanted` itself when all are taken. */
export function freeColour(wanted: number, taken: ReadonlySet<number>): number {
  for (let step = 0; step < COLOURS.length; step++) {
    const colour = (wanted + step) % COLOURS.length;
    if (!taken.has(colour)) return colour;
  }
  return wanted;
}
