import { documentAt } from '../documents.ts';
import { expectDocuments, measureSync, openStores } from './stores.ts';
import type { Workload } from './workload.ts';

/** W6: one document was changed n times, one write after the other; then a fresh peer comes. */
export const history: Workload = {
  sizes: [100_000],
  async run(run) {
    const [alice, bob] = await openStores(run, 'alice', 'bob');
    const document = documentAt(0);
    await alice.put(document);
    for (let i = 1; i <= run.n; i++) await alice.changePlays({ ...document, plays: i });
    const measured = await measureSync(run, alice, bob, 1);
    await expectDocuments(bob, [{ ...document, plays: run.n }]);
    return { ...measured, bytesPerUpdate: measured['bytes']! / run.n };
  },
};
