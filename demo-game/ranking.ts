/** How many tiles each has: most first, of equals the smaller id. Who has none is not in it. */
export function ranking(tilesByPlayer: ReadonlyMap<string, number>): [string, number][] {
  return [...tilesByPlayer]
    .filter(([, tiles]) => tiles > 0)
    .sort(([a, more], [b, less]) => less - more || (a < b ? -1 : 1));
}
