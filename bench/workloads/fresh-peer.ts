import { encode } from '@ipld/dag-cbor';
import { documentAt, documents } from '../documents.ts';
import { expectDocuments, measureSync, openStores } from './stores.ts';
import type { Metrics, Run, Workload } from './workload.ts';

/** W1: Alice has n documents, Bob nothing. */
export const freshPeer: Workload = {
  sizes: [1000, 10_000, 100_000],
  async run(run: Run): Promise<Metrics> {
    const idleRss = process.memoryUsage.rss();
    const { n } = run;
    const [alice, bob] = await openStores(run, 'alice', 'bob');
    await alice.load(documents(0, n));
    const peakRssBefore = process.resourceUsage().maxRSS * 1024;
    const measured = await measureSync(run, alice, bob, n);
    await expectDocuments(
      bob,
      [0, n >> 1, n - 1].map((number) => documentAt(number)),
    );
    let cborBytes = 0;
    for (const document of documents(0, n)) cborBytes += encode(document).length;
    return { ...measured, idleRss, peakRssBefore, overCbor: measured['bytesToBob']! / cborBytes };
  },
};
