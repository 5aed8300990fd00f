import { expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { kindOf } from '../../src/ledger/block-kind.ts';
import { memoryLedger } from '../ledger/support.ts';
import { blocksOf } from '../support/history.ts';
import { join, type Joined } from './wire.ts';

/** Documents that were written four times each, so that the past is larger than the present. */
async function worn(name: string): Promise<Ledger> {
  const ledger = await memoryLedger(name, { recentBytes: 0 });
  for (let round = 0; round < 4; round++) {
    await ledger.bulk(
      Array.from({ length: 3000 }, (_, n) => ({
        _id: `doc:${n}`,
        round,
        text: 'x'.repeat(180) + n,
      })),
    );
  }
  return ledger;
}

async function expectSame(alice: Ledger, bob: Ledger): Promise<void> {
  expect(bob.clock.map(String)).toEqual(alice.clock.map(String));
  expect(await bob.digest()).toBe(await alice.digest());
}

async function close({ alice, ended }: Joined): Promise<void> {
  await alice.close();
  expect(await ended).toEqual([undefined, undefined]);
}

test('a newcomer gets the state and not the past, and is then in sync with anybody', async () => {
  const [alice, bob] = [await worn('alice'), await memoryLedger('bob')];
  const joined = join(alice.replica, bob.replica);
  await joined.settled();
  await expectSame(alice, bob);
  let past = 0;
  for (const { bytes } of await blocksOf(alice)) past += bytes.length;
  expect(joined.fromAlice.bytes).toBeLessThan(past * 0.8);
  await alice.put({ _id: 'doc:1', live: true });
  await bob.put({ _id: 'doc:2', live: true });
  await joined.settled();
  await expectSame(alice, bob);
  await close(joined);

  const again = join(bob.replica, alice.replica);
  await again.settled();
  expect(again.fromAlice.bytes + again.fromBob.bytes).toBeLessThan(400);
  await close(again);
});

test('who wants the whole past gets it', async () => {
  const [alice, bob] = [await worn('alice'), await memoryLedger('bob', { history: 'full' })];
  const joined = join(alice.replica, bob.replica);
  await joined.settled();
  await expectSame(alice, bob);
  expect(await bob.history('doc:7')).toHaveLength(4);
  await close(joined);
});

test('after a cut the pages that have come are not sent again', async () => {
  const [alice, bob] = [await worn('alice'), await memoryLedger('bob')];
  const whole = join(alice.replica, (await memoryLedger('carol')).replica);
  await whole.settled();
  await close(whole);

  const cut = join(alice.replica, bob.replica, { cutAtFrame: 12 });
  await cut.ended;
  const pages = bob.replica.history.loosePages();
  expect(pages.length).toBeGreaterThan(2);
  expect(bob.count()).toBe(0);
  const rest = join(alice.replica, bob.replica);
  await rest.settled();
  await expectSame(alice, bob);
  let had = 0;
  for (const page of pages) had += ((await bob.replica.getBlock(page)) as Uint8Array).length;
  expect(had).toBeGreaterThan(100_000);
  expect(rest.fromAlice.bytes).toBeLessThan(whole.fromAlice.bytes - had + 2000);
  await close(rest);
});

test('a ledger that was pruned and one that wrote offline before that both get all', async () => {
  const [alice, bob] = [await worn('alice'), await memoryLedger('bob')];
  const before = join(alice.replica, bob.replica);
  await before.settled();
  await close(before);
  for (let n = 0; n < 50; n++) await bob.put({ _id: `doc:${n}`, offline: n });
  for (let n = 0; n < 50; n++) await alice.put({ _id: `doc:${n + 25}`, elsewhere: n });
  expect((await alice.compact()).dropped).toBeGreaterThan(0);
  const after = join(alice.replica, bob.replica);
  await after.settled();
  await expectSame(alice, bob);
  expect(await alice.get('doc:30')).toMatchObject({ offline: 30, elsewhere: 5 });
  await close(after);
});

test('a third peer gets a snapshot that came to the second one while they were live', async () => {
  const alice = await worn('alice');
  await alice.compact();
  const [bob, carol] = [await memoryLedger('bob'), await memoryLedger('carol')];
  await carol.put({ _id: 'of carol' });
  const right = join(bob.replica, carol.replica);
  await right.settled();
  const left = join(alice.replica, bob.replica);
  await left.settled();
  await right.settled();
  await right.settled();
  await left.settled();
  await expectSame(alice, bob);
  await expectSame(bob, carol);
  expect(carol.count()).toBe(3001);
  for (const { bytes } of await blocksOf(alice)) expect(kindOf(bytes)).toBe('commit');
  await close(left);
  await close(right);
});
