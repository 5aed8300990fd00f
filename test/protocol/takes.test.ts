import { expect, test } from 'vitest';
import { countOf, keyOf } from '../../src/protocol/diff/list.ts';
import { decodeMessage, type Message } from '../../src/protocol/messages.ts';
import type { Replica } from '../../src/protocol/replica.ts';
import { KEPT_SYMBOLS, Sketch } from '../../src/sketch.ts';
import { memoryLedger } from '../ledger/support.ts';
import { forSeeds } from '../support/random.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import {
  addTo,
  carOf,
  commitOf,
  copyOf,
  filled,
  helloOf,
  join,
  type Joined,
  outcome,
  scripted,
} from './wire.ts';

/*
 * Alice takes nothing, Bob reads: he gets all that she has, she gets nothing of what he has.
 */

interface OneWay extends Joined {
  readonly said: Record<'alice' | 'bob', Message['kind'][]>;
}

async function meet(alice: Replica, bob: Replica, bobTakes = true): Promise<OneWay> {
  const said: OneWay['said'] = { alice: [], bob: [] };
  const joined = join(alice, bob, {
    alice: { takes: false },
    bob: { takes: bobTakes },
    onFrame: (frame, from) => {
      const message = decodeMessage(frame as Uint8Array);
      said[from].push(message.kind);
      // She asks for nothing, and tells nothing that only serves to find out what she lacks.
      if (from === 'alice' && message.kind === 'want') expect(message.keys).toHaveLength(0);
      if (from === 'alice' && message.kind === 'have') expect(countOf(message.list)).toBe(0);
    },
  });
  await Promise.all([joined.alice.firstSync(), joined.bob.firstSync()]);
  return { ...joined, said };
}

async function end({ bob, ended }: Joined): Promise<void> {
  await bob.close();
  expect(await ended).toEqual([undefined, undefined]);
}

/** Syncs, then lets both write: Bob has all of Alice's, and she has what she had. */
async function expectOneWay(alice: TinyReplica, bob: TinyReplica): Promise<OneWay> {
  const before = alice.cids().map(String);
  const met = await meet(alice, bob);
  expect(alice.cids().map(String)).toEqual(before);
  bob.put('of-bob', 1);
  alice.put('of-alice', 2);
  await met.alice.synced();
  expect(await outcome(met.bob.synced())).toMatchObject({ code: 'read-only' });
  expect(met.bob.state).toEqual({ kind: 'live' });
  await end(met);
  expect(alice.blockCount).toBe(before.length + 1);
  for (const cid of alice.cids()) expect(bob.has(cid)).toBe(true);
  expect(bob.waitingCount).toBe(0);
  for (const kind of ['expect', 'car', 'packed']) expect(met.said.bob).not.toContain(kind);
  return met;
}

for (const ancestry of [true, false]) {
  const with_ = ancestry ? 'with' : 'without';

  test.each([
    ['nothing', 0, 0, 0],
    ['only what Alice has', 0, 100, 0],
    ['only what Bob has', 0, 0, 100],
    ['the same', 100, 0, 0],
    ['news of Alice', 100, 10, 0],
    ['news of Bob', 100, 0, 10],
    ['news of both', 100, 10, 20],
    ['more news of Alice', 100, 20, 10],
    ['little news of both', 2, 1, 1],
    ['nothing in common', 0, 50, 60],
  ])(`blocks go one way: %s, ${with_} ancestry`, async (_, shared, ofAlice, ofBob) => {
    const common = filled(shared, 'shared', { ancestry });
    const [alice, bob] = [copyOf(common, { ancestry }), copyOf(common, { ancestry })];
    addTo(alice, ofAlice, 'a');
    addTo(bob, ofBob, 'b');
    await expectOneWay(alice, bob);
    expect(bob.repeated).toBe(0);
  });
}

test('random pasts of both go one way', async () => {
  await forSeeds(60, async (random) => {
    const options = { ancestry: random.oneIn(2) };
    const common = filled(random.pick([0, 3, 40, 300]), 'shared', options);
    const [alice, bob] = [copyOf(common, options), copyOf(common, options)];
    addTo(alice, random.below(60), 'a');
    addTo(bob, random.below(60), 'b');
    await expectOneWay(alice, bob);
  });
});

test('what symbols cannot tell is found by the list of the side that reads', async () => {
  const alice = filled(300, 'shared');
  const bob = copyOf(alice);
  addTo(alice, 20, 'a');
  addTo(bob, 30, 'b');
  // Her sketch hides a block: he finds that something below her heads is missing.
  const hidden = alice.cids().at(-10)!;
  const sketchOf = (): Sketch => {
    const sketch = new Sketch(0, KEPT_SYMBOLS);
    for (const cid of alice.cids()) if (!cid.equals(hidden)) sketch.add(keyOf(cid));
    return sketch;
  };
  Object.assign(alice, { sketch: sketchOf, blocksSince: undefined });
  const { said } = await expectOneWay(alice, bob);
  expect(said.bob).toContain('have');
  expect(said.alice.filter((kind) => kind === 'expect')).toHaveLength(2);
});

test('when neither side takes anything they are live, and nothing travels', async () => {
  const [alice, bob] = [filled(50, 'a'), filled(60, 'b')];
  const met = await meet(alice, bob, false);
  alice.put('more', 1);
  expect(await outcome(met.alice.synced())).toMatchObject({ code: 'read-only' });
  expect(await outcome(met.bob.synced())).toMatchObject({ code: 'read-only' });
  await end(met);
  expect(met.said).toEqual({ alice: ['hello', 'bye'], bob: ['hello', 'bye'] });
  expect([alice.blockCount, bob.blockCount]).toEqual([51, 60]);
});

test('who asks before the hello whether all is stored hears that nothing is taken', async () => {
  const joined = join(filled(3), filled(4, 'b'), { alice: { takes: false } });
  expect(await outcome(joined.bob.synced())).toMatchObject({ code: 'read-only' });
  await end(joined);
});

test('a snapshot and what follows it go one way, whoever is pruned', async () => {
  for (const pruned of ['alice', 'bob', 'both']) {
    const alice = await memoryLedger('alice', { recentBytes: 0 });
    for (let n = 0; n < 40; n++) await alice.put({ _id: `shared${n % 7}`, n });
    const bob = await memoryLedger('bob', { recentBytes: 0 });
    const first = await meet(alice.replica, bob.replica);
    await end(first);
    await alice.put({ _id: 'of-alice', n: 1 });
    await bob.put({ _id: 'of-bob', n: 1 });
    if (pruned !== 'bob') await alice.compact();
    if (pruned !== 'alice') await bob.compact();
    await alice.put({ _id: 'of-alice', n: 2 });
    const digest = await alice.digest();

    const met = await meet(alice.replica, bob.replica);
    expect(await alice.digest()).toBe(digest);
    expect(await bob.get('of-alice')).toEqual({ _id: 'of-alice', n: 2 });
    expect(await bob.get('of-bob')).toEqual({ _id: 'of-bob', n: 1 });
    expect(met.said.alice).not.toContain('context');
    await alice.put({ _id: 'live', n: 3 });
    await met.alice.synced();
    expect(await bob.get('live')).toEqual({ _id: 'live', n: 3 });
    await end(met);
    await Promise.all([alice.close(), bob.close()]);
  }
});

test.each<[string, Message[]]>([
  ['a part', [{ kind: 'expect', blocks: 1, bytes: 0 }]],
  ['blocks', [{ kind: 'car', bytes: carOf([commitOf('mine', 1)]) }]],
  ['deflated blocks', [{ kind: 'packed', length: 3, bytes: Uint8Array.of(1) }]],
])('a side that sends %s all the same is refused, and nothing is stored', async (_, messages) => {
  const alice = filled(5);
  const { script, session, ended } = scripted(alice, { takes: false });
  expect((await script.hear('hello')).takes).toBe(false);
  script.say(helloOf(), ...messages);
  expect(await ended).toMatchObject({ name: 'ProtocolError', code: 'read-only' });
  expect(session.state.kind).toBe('ended');
  expect(await script.hear('abort')).toMatchObject({ reason: 'read-only' });
  expect(alice.blockCount).toBe(5);
});
