import { documents } from '../documents.ts';
import { measureSync, openStores, sync } from './stores.ts';
import type { Workload } from './workload.ts';

/** W2: Alice and Bob have synced before, and meet again with the same n documents. */
export const reconnect: Workload = {
  sizes: [100_000],
  async run(run) {
    const [alice, bob] = await openStores(run, 'alice', 'bob');
    await alice.load(documents(0, run.n));
    await sync(run, alice, bob);
    return measureSync(run, alice, bob, run.n);
  },
};

/** W2u: Bob and Carol have both synced from Alice, and meet for the first time. */
export const equalStrangers: Workload = {
  sizes: [10_000],
  async run(run) {
    const [alice, bob, carol] = await openStores(run, 'alice', 'bob', 'carol');
    await alice.load(documents(0, run.n));
    await sync(run, alice, bob);
    await sync(run, alice, carol);
    return measureSync(run, bob, carol, run.n);
  },
};
