import { expect, test } from 'vitest';
import { START_MS } from '../support/history.ts';
import { commitBlock, putOf } from './commits.ts';
import { memoryLedger, nextChange } from './support.ts';

const MINUTE_MS = 60_000;

test('a parked commit is applied although the clock jumped over its time before a timer could tell', async () => {
  let nowMs = START_MS;
  const alice = await memoryLedger('alice', { now: () => nowMs });
  const early = commitBlock({
    timeMs: START_MS + 10 * MINUTE_MS,
    operations: [putOf('early', { n: 1 })],
  });
  await alice.replica.receive([early]);
  expect(await alice.get('early')).toBeUndefined();

  // The machine sleeps; the first thing after it wakes is news from a peer.
  nowMs += 60 * MINUTE_MS;
  const other = commitBlock({ timeMs: START_MS, operations: [putOf('other', { n: 2 })] });
  await alice.replica.receive([other]);
  while ((await alice.get('early')) === undefined) await nextChange(alice);
  expect(await alice.get('early')).toEqual({ _id: 'early', n: 1 });
});

test('a clock that is put back does not hide the commits that it parks then', async () => {
  let nowMs = START_MS;
  const alice = await memoryLedger('alice', { now: () => nowMs });
  const receive = (id: string, timeMs: number): Promise<void> =>
    alice.replica.receive([commitBlock({ timeMs, operations: [putOf(id, {})] })]);
  await receive('first', START_MS + 10 * MINUTE_MS);
  nowMs += 60 * MINUTE_MS;
  await receive('now', nowMs);
  while ((await alice.get('first')) === undefined) await nextChange(alice);

  nowMs = START_MS;
  await receive('second', START_MS + 10 * MINUTE_MS);
  expect(await alice.get('second')).toBeUndefined();
  nowMs += 60 * MINUTE_MS;
  await receive('third', nowMs);
  while ((await alice.get('second')) === undefined) await nextChange(alice);
  expect((await alice.allDocs()).rows).toHaveLength(4);
});
