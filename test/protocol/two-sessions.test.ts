import { encode } from '@ipld/dag-cbor';
import { expect, test } from 'vitest';
import { addTo, copyOf, filled, join, type Joined, type JoinOptions, outcome } from './wire.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { type Block, blockOf, MAX_BLOCK_BYTES } from '../../src/blocks.ts';
import { ConnectionError, type ProtocolError, StorageError } from '../../src/errors.ts';
import { decodeMessage } from '../../src/protocol/messages.ts';
import type { SessionState } from '../../src/protocol/session.ts';
import { nextTurn } from '../../src/turn.ts';

async function sync(
  alice: TinyReplica,
  bob: TinyReplica,
  options: JoinOptions = {},
): Promise<Joined> {
  const joined = join(alice, bob, options);
  await joined.settled();
  return joined;
}

async function expectEqual(alice: TinyReplica, bob: TinyReplica, joined: Joined): Promise<void> {
  await joined.alice.close();
  expect(await joined.ended).toEqual([undefined, undefined]);
  expect(bob.state).toEqual(alice.state);
  expect(bob.clock.map(String).sort()).toEqual(alice.clock.map(String).sort());
  expect(bob.blockCount).toBe(alice.blockCount);
  expect([alice.waitingCount, bob.waitingCount]).toEqual([0, 0]);
}

for (const ancestry of [true, false]) {
  const with_ = ancestry ? 'with' : 'without';

  test(`a fresh peer gets everything, ${with_} ancestry`, async () => {
    const alice = filled(500, 'a', { ancestry });
    const bob = new TinyReplica({ ancestry });
    const joined = await sync(alice, bob);
    expect(bob.repeated).toBe(0);
    await expectEqual(alice, bob, joined);
  });

  test(`a peer that is behind gets the news only, ${with_} ancestry`, async () => {
    const alice = filled(3000, 'a', { ancestry });
    const bob = copyOf(alice, { ancestry });
    addTo(alice, 10, 'news');
    const joined = await sync(alice, bob);
    expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
    // Ten blocks of 300 bytes; without ancestry the lists of 3,000 CIDs beside them.
    expect(joined.fromAlice.bytes).toBeLessThan(ancestry ? 4500 : 3010 * 34 + 4500);
    expect(joined.fromBob.bytes).toBeLessThan(ancestry ? 300 : 3000 * 34 + 300);
    await expectEqual(alice, bob, joined);
  });

  test(`a peer that is ahead gives its news, ${with_} ancestry`, async () => {
    const alice = filled(300, 'a', { ancestry });
    const bob = copyOf(alice, { ancestry });
    addTo(bob, 10, 'news');
    const joined = await sync(alice, bob);
    expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
    await expectEqual(alice, bob, joined);
  });

  test(`diverged peers exchange what each lacks, ${with_} ancestry`, async () => {
    const alice = filled(300, 'shared', { ancestry });
    const bob = copyOf(alice, { ancestry });
    addTo(alice, 100, 'a');
    addTo(bob, 70, 'b');
    const joined = await sync(alice, bob);
    expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
    expect(Object.keys(alice.state)).toHaveLength(470);
    await expectEqual(alice, bob, joined);
  });
}

test('a peer with ancestry and one without it meet', async () => {
  const alice = filled(200, 'shared');
  const bob = copyOf(alice, { ancestry: false });
  addTo(alice, 20, 'a');
  await expectEqual(alice, bob, await sync(alice, bob));
  addTo(bob, 20, 'b');
  await expectEqual(alice, bob, await sync(alice, bob));
  addTo(alice, 5, 'c');
  addTo(bob, 5, 'd');
  await expectEqual(alice, bob, await sync(alice, bob));
});

test('strangers without a common commit become one', async () => {
  const alice = filled(50, 'a');
  const bob = filled(60, 'b');
  const joined = await sync(alice, bob);
  expect(alice.clock).toHaveLength(2);
  await expectEqual(alice, bob, joined);
});

test('two empty peers are in sync', async () => {
  const [alice, bob] = [new TinyReplica(), new TinyReplica()];
  const joined = await sync(alice, bob);
  alice.put('first', 1);
  await joined.alice.synced();
  expect(bob.state).toEqual({ first: 1 });
  await expectEqual(alice, bob, joined);
});

test('peers in sync exchange one frame of at most 200 bytes each way', async () => {
  for (const count of [1, 10, 2000]) {
    const alice = filled(count, 'k', { id: new Uint8Array(16).fill(1) });
    const bob = copyOf(alice, { id: new Uint8Array(16).fill(2) });
    // Four heads, the most that a hello holds in 200 bytes.
    for (let i = 0; i < 4; i++) {
      const other = copyOf(filled(count));
      const before = other.cids().length;
      other.put(`branch${i}`, i);
      const [cid] = other.cids().slice(before);
      const bytes = other.getBlock(cid!) as Uint8Array;
      for (const replica of [alice, bob]) void replica.receive([{ cid: cid!, bytes }]);
    }
    expect(alice.clock).toHaveLength(4);
    const joined = await sync(alice, bob);
    for (const side of [joined.fromAlice, joined.fromBob]) {
      expect(side.frames).toBe(1);
      expect(side.bytes).toBeLessThanOrEqual(200);
    }
    await expectEqual(alice, bob, joined);
  }
});

test('more heads than a hello holds are compared by lists', async () => {
  const alice = new TinyReplica();
  for (let i = 0; i < 300; i++) {
    const lone = new TinyReplica();
    lone.put(`lone${i}`, i);
    await joinAll(lone, alice);
  }
  expect(alice.clock).toHaveLength(300);
  const bob = copyOf(alice);
  bob.put('merge', 1);
  const joined = await sync(alice, bob);
  await expectEqual(alice, bob, joined);
});

async function joinAll(from: TinyReplica, to: TinyReplica): Promise<void> {
  await to.receive(from.cids().map((cid) => ({ cid, bytes: from.getBlock(cid) as Uint8Array })));
}

test('a block that waits for its parents is handed on when they have come', async () => {
  const source = filled(3, 'a');
  const alice = copyOf(source);
  const bob = copyOf(source);
  const parent = source.put('parent', 1);
  const orphan = source.put('orphan', 2);
  const blocks = [parent, orphan].map((cid) => ({
    cid,
    bytes: source.getBlock(cid) as Uint8Array,
  }));
  await alice.receive(blocks.slice(1));
  expect(alice.waitingCount).toBe(1);

  const joined = await sync(alice, bob);
  expect(bob.has(orphan)).toBe(false);
  await alice.receive(blocks.slice(0, 1));
  await joined.alice.synced();
  expect(bob.state).toEqual(source.state);
  await expectEqual(alice, bob, joined);
});

test('blocks that no commit links to are found by their count', async () => {
  for (const news of [0, 5]) {
    const alice = filled(3, 'a');
    const bob = copyOf(alice);
    await alice.receive([blockOf(encode('lone data'))]);
    addTo(bob, news, 'b');
    await expectEqual(alice, bob, await sync(alice, bob));
  }
});

test('writes travel live both ways and are not echoed', async () => {
  const alice = filled(20);
  const bob = copyOf(alice);
  const joined = await sync(alice, bob);
  for (let i = 0; i < 50; i++) {
    alice.put(`a${i}`, i);
    if (i % 3 === 0) await joined.alice.synced();
    bob.put(`b${i}`, i);
    if (i % 5 === 0) await joined.bob.synced();
  }
  await joined.settled();
  expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
  await expectEqual(alice, bob, joined);
});

test('a live write costs its block and less than 100 bytes', async () => {
  const alice = filled(1);
  const bob = copyOf(alice);
  const joined = await sync(alice, bob);
  alice.put('first', 'carries the header too');
  await joined.alice.synced();
  const before = joined.fromAlice.bytes + joined.fromBob.bytes;
  const cid = alice.put('second', 'x'.repeat(200));
  await joined.alice.synced();
  const block = alice.getBlock(cid) as Uint8Array;
  const cost = joined.fromAlice.bytes + joined.fromBob.bytes - before;
  expect(cost).toBeLessThan(block.length + 100);
  await expectEqual(alice, bob, joined);
});

test('what is written while the first sync runs arrives after it, parents first', async () => {
  const alice = filled(4000, 'a');
  addTo(alice, 1, 'a');
  const bob = new TinyReplica();
  let writes = 0;
  let mostWaiting = 0;
  bob.watch(() => (mostWaiting = Math.max(mostWaiting, bob.waitingCount)));
  const joined = join(alice, bob, {
    onFrame: (frame, from) => {
      const { kind } = decodeMessage(frame as Uint8Array);
      if (from === 'alice' && kind === 'car' && writes < 40) alice.put('during', writes++);
    },
  });
  await joined.settled();
  expect(writes).toBeGreaterThan(5);
  // The frame of each write brings about the next one.
  while (writes < 40) await joined.alice.synced();
  await joined.alice.synced();
  expect(bob.state['during']).toBe(writes - 1);
  expect([bob.repeated, mostWaiting]).toEqual([0, 0]);
  await expectEqual(alice, bob, joined);
});

test('what is written between the hello and the answer is sent once', async () => {
  const shared = filled(50, 'shared');
  const news = copyOf(shared);
  addTo(news, 3, 'news');
  const diverged = filled(20, 'other');
  for (const other of [new TinyReplica(), shared, news, diverged]) {
    const [alice, bob] = [copyOf(shared), copyOf(other)];
    const joined = join(alice, bob);
    addTo(alice, 5, 'just now');
    await joined.settled();
    expect([alice.repeated, bob.repeated]).toEqual([0, 0]);
    await expectEqual(alice, bob, joined);
  }
});

test('three in a row hand on what they get', async () => {
  const [alice, bob, carol] = [filled(100, 'a'), new TinyReplica(), filled(30, 'c')];
  const left = join(alice, bob);
  const right = join(bob, carol);
  await Promise.all([left.settled(), right.settled()]);
  alice.put('from alice', 1);
  await left.alice.synced();
  await right.alice.synced();
  carol.put('from carol', 2);
  await right.bob.synced();
  await left.bob.synced();
  expect(carol.state).toEqual(alice.state);
  expect(Object.keys(bob.state)).toHaveLength(132);
  await right.alice.close();
  await expectEqual(alice, bob, left);
});

test('closing delivers what was written just before, on both sides', async () => {
  const alice = filled(10);
  const bob = copyOf(alice);
  const joined = await sync(alice, bob);
  addTo(alice, 100, 'last words of alice');
  addTo(bob, 100, 'last words of bob');
  await expectEqual(alice, bob, joined);
  expect(Object.keys(alice.state)).toHaveLength(210);
  expect(joined.alice.state).toEqual({ kind: 'ended' });
  expect(joined.bob.state).toEqual({ kind: 'ended' });
  await expect(joined.alice.synced()).rejects.toBeInstanceOf(ConnectionError);
});

test('both sides may close at once', async () => {
  const [alice, bob] = [filled(2000, 'a'), filled(2000, 'b')];
  const joined = join(alice, bob);
  await joined.alice.firstSync();
  alice.put('last', 1);
  await Promise.all([joined.alice.close(), joined.bob.close()]);
  expect(await joined.ended).toEqual([undefined, undefined]);
  expect(bob.state['last']).toBe(1);
});

test('who closes in the middle of receiving does not wait for the rest', async () => {
  const alice = new SlowReplica();
  const bob = filled(20_000, 'b');
  const joined = join(alice, bob);
  await until(joined.alice.subscribe.bind(joined.alice), (state) => state.kind === 'syncing');
  await joined.alice.close();
  expect(await joined.ended).toEqual([undefined, undefined]);
  expect(alice.blockCount).toBeLessThan(bob.blockCount);
});

test('a peer that is gone in the middle ends the session with an error, and the waiting with it', async () => {
  const alice = filled(2000);
  const joined = join(alice, new TinyReplica(), { cutAtFrame: 8 });
  const waiting = outcome(joined.alice.synced());
  const [left, right] = await joined.ended;
  expect(left).toMatchObject({ name: 'ConnectionError', code: 'peer-gone' });
  expect(right).toMatchObject({ name: 'ConnectionError', code: 'peer-gone' });
  expect(await waiting).toBe(left);
});

test('an aborted wait rejects with the reason, and the session goes on', async () => {
  const [alice, bob] = [filled(10), new TinyReplica()];
  const joined = join(alice, bob);
  const reason = new Error('enough');
  expect(await outcome(joined.alice.firstSync({ signal: AbortSignal.abort(reason) }))).toBe(reason);
  await joined.settled();
  await expectEqual(alice, bob, joined);
});

test('the first sync tells how far it is', async () => {
  const [alice, bob] = [filled(3000), new TinyReplica()];
  const joined = join(alice, bob);
  const kinds: string[] = [];
  let last: SessionState | undefined;
  joined.bob.subscribe((state) => {
    if (kinds.at(-1) !== state.kind) kinds.push(state.kind);
    if (state.kind === 'syncing') last = state;
  });
  await joined.settled();
  expect(last).toMatchObject({ progress: { toReceive: { blocks: 3000 } } });
  await expectEqual(alice, bob, joined);
  expect(kinds).toEqual(['comparing', 'syncing', 'live', 'ended']);
});

test('a slow receiver holds back the sender, far below its window', async () => {
  const data = Array.from({ length: 400 }, (_, i) => new Uint8Array(64 * 1024).fill(i + 1));
  const alice = new TinyReplica();
  for (const [i, bytes] of data.entries()) alice.put(`big${i}`, i, [marked(bytes, i)]);
  const bob = new SlowReplica();
  let sent = 0;
  let most = 0;
  const joined = join(alice, bob, {
    onFrame: (frame, from) => {
      if (from === 'alice') sent += frame.length;
      most = Math.max(most, sent - bob.receivedBytes);
    },
  });
  await joined.settled();
  expect(joined.fromAlice.bytes).toBeGreaterThan(25 * 1024 * 1024);
  expect(most).toBeLessThan(1024 * 1024);
  expect(most).toBeGreaterThan(128 * 1024);
  expect(bob.largestBatch).toBeLessThan(512 * 1024);
  await expectEqual(alice, bob, joined);
});

test('a congested channel gets no more blocks until it has drained', async () => {
  const [alice, bob] = [filled(3000, 'a'), filled(3000, 'b')];
  const joined = await sync(alice, bob, { highWaterMark: 20_000, maxFrameBytes: 8192 });
  expect([joined.fromAlice.rudeFrames, joined.fromBob.rudeFrames]).toEqual([0, 0]);
  expect(joined.fromAlice.frames).toBeGreaterThan(50);
  await expectEqual(alice, bob, joined);
});

test('a block of the largest size passes', async () => {
  const alice = new TinyReplica();
  alice.put('large', 1, [new Uint8Array(MAX_BLOCK_BYTES - 5).fill(7)]);
  const bob = new TinyReplica();
  await expectEqual(alice, bob, await sync(alice, bob, { maxFrameBytes: 16 * 1024 }));
});

test('a replica that cannot store ends the session on both sides, with the cause', async () => {
  class FullReplica extends TinyReplica {
    override receive(): void {
      throw new StorageError('full', 'no room');
    }
  }
  const joined = join(filled(10), new FullReplica());
  const [left, right] = (await joined.ended) as ProtocolError[];
  expect(left).toMatchObject({ code: 'aborted-by-peer' });
  expect(left!.message).toContain('storage-failed');
  expect(right).toMatchObject({ code: 'storage-failed', cause: { name: 'StorageError' } });
});

test('a connection with oneself is noticed', async () => {
  const alice = new TinyReplica({ id: Uint8Array.of(1, 2, 3) });
  const joined = join(alice, alice);
  const errors = (await joined.ended) as ProtocolError[];
  expect(errors.map(({ code }) => code)).toContain('connected-to-self');
  expect(errors).not.toContain(undefined);
});

test('two peers that both wait for the other begin after a silence', async () => {
  const [alice, bob] = [filled(10), new TinyReplica()];
  const greet = { greet: 'after-peer', silenceMs: 1 } as const;
  await expectEqual(alice, bob, await sync(alice, bob, { alice: greet, bob: greet }));
});

test('an error given to destroy is what run rejects with', async () => {
  const joined = join(filled(10), new TinyReplica());
  const error = new Error('mine');
  joined.alice.destroy(error);
  const [left, right] = await joined.ended;
  expect(left).toBe(error);
  expect(right).toMatchObject({ code: 'peer-gone' });
});

// --- helpers ---

/** Stores as slowly as a disk: one turn of the event loop a batch. */
class SlowReplica extends TinyReplica {
  receivedBytes = 0;
  largestBatch = 0;

  override async receive(blocks: readonly Block[], origin?: object): Promise<void> {
    await nextTurn();
    await super.receive(blocks, origin);
    const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0);
    this.receivedBytes += bytes;
    this.largestBatch = Math.max(this.largestBatch, bytes);
  }
}

function marked(bytes: Uint8Array, mark: number): Uint8Array {
  new DataView(bytes.buffer).setUint32(0, 0xf0f0f0f0 + mark);
  return bytes;
}

function until(
  subscribe: (listener: (state: SessionState) => void) => () => void,
  condition: (state: SessionState) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = subscribe((state) => {
      if (!condition(state)) return;
      unsubscribe();
      resolve();
    });
  });
}
