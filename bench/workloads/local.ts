import { type BenchDocument, documents } from '../documents.ts';
import type { Store } from '../peer.ts';
import { expectDocuments, openStores } from './stores.ts';
import type { Workload } from './workload.ts';

const SINGLE_WRITES = 20_000;
const GROUP = 1000;
const GROUPS = 50;
/** Slow libraries are measured by what they do in this time. */
const LIMIT_MS = 10_000;

/** W5: new documents written by one replica alone: one at a time, in groups, and n in bulk. */
export const localWrites: Workload = {
  sizes: [100_000],
  async run(run) {
    const [single, grouped, bulk] = await openStores(run, 'single', 'grouped', 'bulk');
    // Made before, since making one takes longer than some libraries take to write it.
    const all = [...documents(0, Math.max(run.n, SINGLE_WRITES, GROUPS * GROUP))];
    const singlePerSecond = await rate(SINGLE_WRITES, 1, (i) => single.put(all[i]!));
    const groupedPerSecond = await rate(GROUPS * GROUP, GROUP, (i) =>
      putAll(grouped, all.slice(i, i + GROUP)),
    );
    const bulkPerSecond = await rate(run.n, run.n, () => bulk.load(all.slice(0, run.n)));
    for (const store of [single, grouped, bulk]) await expectDocuments(store, all.slice(0, 10));
    return { singlePerSecond, groupedPerSecond, bulkPerSecond };
  },
};

/** Issued in one tick, awaited together. */
async function putAll(store: Store, group: readonly BenchDocument[]): Promise<void> {
  await Promise.all(group.map(async (document) => store.put(document)));
}

/** How many documents are written a second, when `write` writes `step` of them from the i-th on. */
async function rate(count: number, step: number, write: (i: number) => unknown): Promise<number> {
  globalThis.gc?.();
  const start = performance.now();
  let done = 0;
  while (done < count && performance.now() - start < LIMIT_MS) {
    await write(done);
    done += step;
  }
  return (done / (performance.now() - start)) * 1000;
}
