import { documentAt, documents } from '../documents.ts';
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
    const singlePerSecond = await rate(SINGLE_WRITES, 1, (from) => single.put(documentAt(from)));
    const groupedPerSecond = await rate(GROUPS * GROUP, GROUP, (from, to) =>
      putAll(grouped, from, to),
    );
    const start = performance.now();
    await bulk.load(documents(0, run.n));
    const bulkPerSecond = (run.n / (performance.now() - start)) * 1000;
    for (const store of [single, grouped, bulk]) await expectDocuments(store, documents(0, 10));
    return { singlePerSecond, groupedPerSecond, bulkPerSecond };
  },
};

/** Issued in one tick, awaited together. */
async function putAll(store: Store, from: number, to: number): Promise<void> {
  const writes: unknown[] = [];
  for (const document of documents(from, to)) writes.push(store.put(document));
  await Promise.all(writes);
}

async function rate(
  count: number,
  step: number,
  write: (from: number, to: number) => unknown,
): Promise<number> {
  const start = performance.now();
  let done = 0;
  while (done < count && performance.now() - start < LIMIT_MS) {
    await write(done, done + step);
    done += step;
  }
  return (done / (performance.now() - start)) * 1000;
}
