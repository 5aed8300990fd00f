import { expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { decodeMessage } from '../../src/protocol/messages.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { addTo, copyOf, filled, join, type Joined, type JoinOptions } from './wire.ts';

/** 20 MB in 400 commits. */
function large(prefix = 'large'): TinyReplica {
  const replica = filled(20, 'first');
  for (let i = 0; i < 400; i++) {
    const bytes = new Uint8Array(50_000).fill(i);
    new DataView(bytes.buffer).setUint32(0, i);
    replica.put(`${prefix}${i}`, i, [bytes]);
  }
  return replica;
}

function bytesOf(replica: TinyReplica): number {
  return replica.cids().reduce((sum, cid) => sum + replica.blockSize(cid)!, 0);
}

async function close(...joined: Joined[]): Promise<void> {
  for (const each of joined) {
    await each.bob.close();
    expect(await each.ended).toEqual([undefined, undefined]);
  }
}

const SLOW: JoinOptions = { highWaterMark: 128 * 1024 };

test('two peers that offer the same do not both send it whole', async () => {
  const alice = large();
  const carol = copyOf(alice);
  const bob = new TinyReplica();
  const [left, right] = [join(alice, bob, SLOW), join(carol, bob, SLOW)];
  await Promise.all([left.settled(), right.settled()]);
  expect(bob.state).toEqual(alice.state);
  const received = left.fromAlice.bytes + right.fromAlice.bytes;
  expect(received).toBeLessThan(1.1 * bytesOf(alice));
  // Nor does he hand on to one what the other one sent.
  expect(left.fromBob.bytes + right.fromBob.bytes).toBeLessThan(0.1 * bytesOf(alice));
  await close(left, right);
});

test('three peers with news of their own beside what they share are all heard', async () => {
  const alice = large();
  const [carol, dave, bob] = [copyOf(alice), copyOf(alice), filled(30, 'bob')];
  addTo(alice, 100, 'a');
  addTo(carol, 150, 'c');
  addTo(dave, 200, 'd');
  const joined = [alice, carol, dave].map((peer) => join(peer, bob, SLOW));
  await Promise.all(joined.map((each) => each.settled()));
  await Promise.all(joined.map((each) => each.settled()));
  for (const peer of [alice, carol, dave]) expect(peer.state).toEqual(bob.state);
  expect(bob.blockCount).toBe(820 + 30 + 100 + 150 + 200);
  const received = joined.reduce((sum, each) => sum + each.fromAlice.bytes, 0);
  expect(received).toBeLessThan(1.45 * bytesOf(bob));
  await close(...joined);
});

test('who holds goes on when the one who streams is gone', async () => {
  const alice = large();
  const carol = copyOf(alice);
  const bob = new TinyReplica();
  let frames = 0;
  const left = join(alice, bob, {
    ...SLOW,
    onFrame: (frame, from) => {
      const isCar = from === 'alice' && decodeMessage(frame as Uint8Array).kind === 'car';
      if (isCar && ++frames === 100) left.cut();
    },
  });
  const right = join(carol, bob, SLOW);
  await left.ended;
  await right.settled();
  expect(bob.state).toEqual(carol.state);
  expect(left.fromAlice.bytes + right.fromAlice.bytes).toBeLessThan(1.2 * bytesOf(carol));
  await close(right);
});

test('who holds goes on when the one who streams has fallen silent', async () => {
  const alice = large();
  const carol = copyOf(alice);
  class SilentReplica extends TinyReplica {
    override getBlock(): Promise<undefined> {
      return new Promise(() => {});
    }
  }
  const silent = new SilentReplica();
  await silent.receive(
    alice.cids().map((cid): Block => ({ cid, bytes: alice.getBlock(cid) as Uint8Array })),
  );
  const bob = new TinyReplica();
  const left = join(silent, bob);
  const right = join(carol, bob);
  await right.settled();
  expect(bob.state).toEqual(carol.state);
  left.cut();
  await left.ended;
  await close(right);
});

test('a live write of who holds comes through', async () => {
  const bob = filled(20, 'first');
  const alice = copyOf(bob);
  for (let i = 0; i < 400; i++) alice.put(`large${i}`, i, [new Uint8Array(5000).fill(i)]);
  const carol = copyOf(alice);
  const heads = bob.clock;
  const dave = copyOf(bob);
  const written = dave.put('live', 1);
  expect(heads).not.toEqual(dave.clock);
  const write = { cid: written, bytes: dave.getBlock(written) as Uint8Array };
  const shared = alice.blockCount;
  // Which of the two has to hold is decided by whose part began first.
  let holds: TinyReplica | undefined;
  let isWritten = false;
  const [left, right] = [alice, carol].map((peer) =>
    join(peer, bob, {
      ...SLOW,
      onFrame: (frame, from) => {
        const { kind } = decodeMessage(frame as Uint8Array);
        if (from === 'bob' && kind === 'hold') holds ??= peer;
        const isBulk = from === 'alice' && kind === 'car';
        if (!isBulk || isWritten || holds === undefined || holds === peer) return;
        isWritten = true;
        void holds.receive([write]);
      },
    }),
  ) as [Joined, Joined];
  const missing = new Promise<number>((resolve) => {
    bob.watch((cids) => {
      if (cids.some((cid) => cid.equals(written))) resolve(shared - bob.blockCount);
    });
  });
  await Promise.all([left.settled(), right.settled()]);
  expect(await missing).toBeGreaterThan(100);
  await Promise.all([left.settled(), right.settled()]);
  for (const peer of [alice, carol]) expect(peer.state).toEqual(bob.state);
  await close(left, right);
});

test('what is written on top of withheld news comes after them, whoever lacks them', async () => {
  const [alice, carol, bob] = [large('alice'), large('carol'), new TinyReplica()];
  let mostWaiting = 0;
  carol.watch(() => (mostWaiting = Math.max(mostWaiting, carol.waitingCount)));
  let writes = 0;
  const right = join(carol, bob, SLOW);
  const left = join(alice, bob, {
    ...SLOW,
    onFrame: (frame, from) => {
      const isCar = from === 'alice' && decodeMessage(frame as Uint8Array).kind === 'car';
      if (isCar && bob.blockCount > 100 && writes < 10) bob.put('bob', writes++);
    },
  });
  await Promise.all([left.settled(), right.settled()]);
  await Promise.all([left.settled(), right.settled()]);
  expect(writes).toBe(10);
  expect(mostWaiting).toBe(0);
  expect(carol.state).toEqual(alice.state);
  expect(carol.state).toMatchObject({ bob: 9, alice399: 399, carol399: 399 });
  await close(left, right);
});
