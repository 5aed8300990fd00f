/** The items in their order, those with one key that follow one another together. */
export function runsBy<T, K>(items: readonly T[], keyOf: (item: T) => K): { key: K; run: T[] }[] {
  const runs: { key: K; run: T[] }[] = [];
  for (const item of items) {
    const key = keyOf(item);
    const last = runs.at(-1);
    if (last !== undefined && last.key === key) last.run.push(item);
    else runs.push({ key, run: [item] });
  }
  return runs;
}
