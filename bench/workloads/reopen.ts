import { mkdir } from 'node:fs/promises';
import { documentAt, documents } from '../documents.ts';
import { expectDocuments, openStores } from './stores.ts';
import type { Workload } from './workload.ts';

/** W5o: n documents, written by another process, are opened from their files. */
export const reopen: Workload = {
  sizes: [100_000],
  async prepare(run) {
    const [store] = await openStores(run, 'store');
    await store.load(documents(0, run.n));
    const folder = `${run.folder}/saved`;
    await mkdir(folder);
    await store.save(folder);
  },
  async run({ peer, n, folder }) {
    const before = memory();
    const start = performance.now();
    // A ledger's folder is found by its name.
    const store = await peer.reopen(`${folder}/saved`, 'store');
    await store.get(documentAt(n >> 1)._id);
    const ms = performance.now() - start;
    const after = memory();
    if ((await store.count()) !== n) throw new Error('documents are missing');
    await expectDocuments(
      store,
      [0, n >> 1, n - 1].map((number) => documentAt(number)),
    );
    return { ms, heldBytes: after.held - before.held, heldRss: after.rss - before.rss };
  },
};

function memory(): { held: number; rss: number } {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, rss };
}
