import { expect, test, vi } from 'vitest';
import { Sync, traceSync } from '../../src/index.ts';
import { START_MS, blocksOf } from '../support/history.ts';
import { memoryLedger } from '../ledger/support.ts';

/** What is asked for of the ledger's code that is loaded when it is needed. */
const network = vi.hoisted(() => ({ isDown: false }));

vi.mock(import('../../src/load-part.ts'), async (original) => {
  const { loadPart } = await original();
  return {
    loadPart: (load, NotLoaded) =>
      loadPart(async () => {
        if (network.isDown) throw new TypeError('Failed to fetch');
        return load();
      }, NotLoaded),
  };
});

test('what a peer brings can be stored by a page that was online when it began to connect', async () => {
  const bob = await memoryLedger('bob', { now: () => START_MS });
  await bob.put({ _id: 'of bob' });
  const blocks = await blocksOf(bob);
  const alice = await memoryLedger('alice', { now: () => START_MS });
  network.isDown = true;
  await expect(alice.replica.receive(blocks)).rejects.toMatchObject({ code: 'not-loaded' });

  // Who only looks on connects nobody.
  network.isDown = false;
  traceSync(alice, () => {});
  network.isDown = true;
  await expect(alice.replica.receive(blocks)).rejects.toMatchObject({ code: 'not-loaded' });

  network.isDown = false;
  const sync = new Sync(alice);
  network.isDown = true;
  await alice.replica.receive(blocks);
  expect(await alice.get('of bob')).toEqual({ _id: 'of bob' });
  sync.destroy();
});
