import { expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { decodeMessage, type Message } from '../../src/protocol/messages.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { commitOf, copyOf, filled, join, type Joined } from './wire.ts';

/** Two with a common past; Alice has a branch of 6 MB more that Bob is about to get. */
function bulky(): [TinyReplica, TinyReplica] {
  const alice = filled(20, 'shared');
  const bob = copyOf(alice);
  for (let i = 0; i < 100; i++) alice.put(`bulk${i}`, i, [new Uint8Array(60_000).fill(i)]);
  return [alice, bob];
}

/** Runs `during` once, at the tenth frame of Alice's bulk; tells what follows that frame. */
function joinWith(
  alice: TinyReplica,
  bob: TinyReplica,
  during: () => void,
): { joined: Joined; followed: { from: string; kind: Message['kind'] }[] } {
  const followed: { from: string; kind: Message['kind'] }[] = [];
  let frames = 0;
  const joined = join(alice, bob, {
    highWaterMark: 128 * 1024,
    onFrame: (frame, from) => {
      const { kind } = decodeMessage(frame as Uint8Array);
      if (from === 'alice' && kind === 'car' && ++frames === 10) during();
      if (frames >= 10) followed.push({ from, kind });
    },
  });
  return { joined, followed };
}

async function end(alice: TinyReplica, bob: TinyReplica, joined: Joined): Promise<void> {
  await joined.settled();
  await joined.alice.close();
  expect(await joined.ended).toEqual([undefined, undefined]);
  expect(bob.state).toEqual(alice.state);
  expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
}

test('a live write of the receiving side does not wait for the bulk', async () => {
  const [alice, bob] = bulky();
  const written: string[] = [];
  const { joined, followed } = joinWith(alice, bob, () => {
    written.push(String(bob.put('live', 1)));
  });
  const arrived = new Promise<number>((resolve) => {
    alice.watch((cids) => {
      if (written.includes(String(cids[0]))) resolve(followed.length);
    });
  });
  const framesBefore = await arrived;
  await end(alice, bob, joined);
  const bulkAfter = followed.slice(framesBefore).filter(({ kind }) => kind === 'car');
  expect(bulkAfter.length).toBeGreaterThan(40);
});

test('a live write whose parents the receiver has overtakes the bulk', async () => {
  const [alice, bob] = bulky();
  const fromCarol = commitOf('carol', 'live', bob.clock);
  const next = commitOf('carol', 'again', [fromCarol.cid]);
  const { joined } = joinWith(alice, bob, () => {
    void alice.receive([fromCarol]);
    void alice.receive([next]);
  });
  const missing = await missingWhenStored(alice, bob, next);
  await end(alice, bob, joined);
  // Sixty frames of bulk were still to come.
  expect(missing).toBeGreaterThan(100);
});

test('a live write overtakes a large import that is handed on', async () => {
  const alice = filled(20, 'shared');
  const bob = copyOf(alice);
  const elsewhere = copyOf(alice);
  const fromCarol = commitOf('carol', 'live', bob.clock);
  for (let i = 0; i < 100; i++) elsewhere.put(`bulk${i}`, i, [new Uint8Array(60_000).fill(i)]);
  const { joined } = joinWith(alice, bob, () => void alice.receive([fromCarol]));
  await joined.settled();
  void alice.receive(
    elsewhere.cids().map((cid) => ({ cid, bytes: elsewhere.getBlock(cid) as Uint8Array })),
  );
  alice.repeated = 0;
  const missing = await missingWhenStored(alice, bob, fromCarol);
  await end(alice, bob, joined);
  expect(missing).toBeGreaterThan(100);
});

test('a live write that builds on the bulk comes after it, and nothing has to wait for its parents', async () => {
  const [alice, bob] = bulky();
  let mostWaiting = 0;
  let commit: Block['cid'] | undefined;
  bob.watch(() => (mostWaiting = Math.max(mostWaiting, bob.waitingCount)));
  const { joined } = joinWith(alice, bob, () => {
    commit = alice.put('on top', 1);
  });
  await end(alice, bob, joined);
  expect(bob.has(commit!)).toBe(true);
  expect(mostWaiting).toBe(0);
});

/** How many blocks Bob still lacks when he has stored this one. */
async function missingWhenStored(
  alice: TinyReplica,
  bob: TinyReplica,
  { cid }: Block,
): Promise<number> {
  await new Promise<void>((resolve) => {
    bob.watch((cids) => {
      if (cids.some((each) => each.equals(cid))) resolve();
    });
  });
  return alice.blockCount - bob.blockCount;
}
