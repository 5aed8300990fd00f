import { onTestFinished, vi } from 'vitest';
import { openMemoryLedgersBy } from '../ledger/support.ts';
import { FakeOrigin } from './fake-origin.ts';

// Each step goes to the other tab and back.
vi.setConfig({ testTimeout: 120_000 });

/** What a ledger does it does in a tab that has it only by way of another one, too. */
openMemoryLedgersBy(async (name, options) => {
  const origin = new FakeOrigin();
  const leader = await origin.newTab().open(name, options);
  onTestFinished(() => leader.close());
  return origin.newTab().open(name, options);
});

await import('../ledger/ledger.test.ts');
await import('../ledger/past.test.ts');
await import('../ledger/patch.test.ts');
await import('../ledger/query.test.ts');
await import('../ledger/merge.test.ts');
await import('../ledger/car.test.ts');
await import('../protocol/snapshots.test.ts');
