import { expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { commitBlock, putOf } from './commits.ts';
import { memoryLedger } from './support.ts';

const HOUR_MS = 3_600_000;
const bob = { name: 'bob' };
const carol = { name: 'carol' };

/** What a ledger tells its watchers from now on: which commits, and who brought them. */
function heardBy({ replica }: Ledger): [cids: string[], origin: object | undefined][] {
  const heard: [string[], object | undefined][] = [];
  replica.watch((cids, origin) => heard.push([cids.map(String), origin]));
  return heard;
}

test('a commit is told as brought by whom it came from, not by who brought its parent', async () => {
  const alice = await memoryLedger('alice', { now: () => START_MS });
  const heard = heardBy(alice);
  const parent = commitBlock({ timeMs: START_MS, operations: [putOf('a', { n: 1 })] });
  const child = commitBlock({
    parents: [parent.cid],
    timeMs: START_MS + 1,
    operations: [putOf('b', { n: 2 })],
  });
  await alice.replica.receive([child], bob);
  expect(heard).toEqual([]);
  await alice.replica.receive([parent], carol);
  expect(heard).toEqual([
    [[String(parent.cid)], carol],
    [[String(child.cid)], bob],
  ]);
});

test('a commit whose time has come with a snapshot is not told as brought by its sender', async () => {
  let nowMs = START_MS;
  const alice = await memoryLedger('alice', { now: () => nowMs });
  const other = await memoryLedger('other', { now: () => START_MS, recentBytes: 0 });
  for (let n = 0; n < 10; n++) await other.put({ _id: 'a', n });
  await other.compact();
  const snapshot = [];
  for await (const block of other.replica.history.snapshot()) snapshot.push(block);

  const early = commitBlock({ timeMs: START_MS + HOUR_MS, operations: [putOf('b', { n: 1 })] });
  await alice.replica.receive([early], bob);
  nowMs += HOUR_MS;
  const heard = heardBy(alice);
  await alice.replica.receive(snapshot, carol);
  expect(heard).toEqual([
    [snapshot.map(({ cid }) => String(cid)), carol],
    [[String(early.cid)], bob],
  ]);
  expect((await blocksOf(alice)).map(({ cid }) => String(cid))).toEqual([String(early.cid)]);
});
