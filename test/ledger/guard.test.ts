import { expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { BlockError, type ProtocolError } from '../../src/errors.ts';
import type { IncomingChange, Validate } from '../../src/ledger/guard.ts';
import { guardReplica } from '../../src/ledger/guard-replica.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MAX_ABORT_TEXT } from '../../src/protocol/messages.ts';
import { join, type Joined, outcome } from '../protocol/wire.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { forSeeds, type Random } from '../support/random.ts';
import { commitBlock, deleteOf, putOf } from './commits.ts';
import { memoryLedger } from './support.ts';

const now = (): number => START_MS;

/** Joins Alice, behind a guard, with Bob; resolves when both are live or over. */
async function meet(alice: Ledger, bob: Ledger, validate: Validate): Promise<Joined> {
  const joined = join(guardReplica(alice.replica, validate), bob.replica);
  await Promise.race([joined.settled().catch(() => undefined), joined.ended]);
  return joined;
}

/** Refuses what writes a document whose id begins with `secret`. */
const noSecrets: Validate = (incoming) =>
  incoming.kind === 'snapshot' || !incoming.operations.some(({ id }) => id.startsWith('secret'));

test('a guard is told what a peer wants to write', async () => {
  const [alice, bob] = [await memoryLedger('alice', { now }), await memoryLedger('bob', { now })];
  const { clock } = await bob.put({ _id: 'a', n: 1, text: 'x' });
  await bob.bulk([{ _id: 'a', n: 2 }, { _id: 'b' }]);
  await bob.del('b');
  const told: IncomingChange[] = [];
  const joined = await meet(alice, bob, (incoming) => void told.push(incoming));
  const [entry] = await bob.history('a');
  const writer = entry!.writer;
  expect(told).toEqual([
    {
      kind: 'commit',
      id: clock[0],
      writer,
      time: START_MS,
      operations: [{ kind: 'put', id: 'a', set: { n: 1, text: 'x' }, unset: [] }],
    },
    {
      kind: 'commit',
      id: expect.anything() as unknown,
      writer,
      time: START_MS,
      operations: [
        { kind: 'put', id: 'a', set: { n: 2 }, unset: ['text'] },
        { kind: 'put', id: 'b', set: {}, unset: [] },
      ],
    },
    expect.objectContaining({ operations: [{ kind: 'delete', id: 'b' }] }),
  ]);
  expect(await alice.digest()).toBe(await bob.digest());

  // What is held is not asked about again, and what Alice writes herself is her own business.
  await alice.put({ _id: 'mine' });
  await joined.bob.close();
  const again = await meet(alice, bob, (incoming) => void told.push(incoming));
  expect(told).toHaveLength(3);
  await again.bob.close();
});

test.each<[string, Validate, string]>([
  ['a reason', ({ kind }) => kind === 'commit' && 'none of yours', 'none of yours'],
  ['false', () => false, 'it is not allowed'],
  [
    'an error',
    () => {
      throw new Error('only on Mondays');
    },
    'only on Mondays',
  ],
  ['a rejection', () => Promise.reject(new Error('later')), 'later'],
  ['a long reason', () => Promise.resolve('x'.repeat(2000)), 'x'.repeat(400)],
])('%s refuses: the session ends, and the other side hears why', async (_, validate, reason) => {
  const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
  await alice.put({ _id: 'old' });
  await bob.put({ _id: 'new' });
  const before = await alice.digest();
  const joined = await meet(alice, bob, (incoming) => (validate(incoming) ?? true) as boolean);
  const [ours, theirs] = (await joined.ended) as [ProtocolError, ProtocolError];
  expect(ours).toMatchObject({ name: 'ProtocolError', code: 'refused' });
  expect(ours.cause).toMatchObject({ name: 'BlockError', code: 'refused' });
  expect(theirs).toMatchObject({ code: 'aborted-by-peer' });
  expect(theirs.message).toContain(reason);
  expect(theirs.message.length).toBeLessThan(MAX_ABORT_TEXT + 100);
  expect(await alice.digest()).toBe(before);
  expect(await alice.allDocs()).toMatchObject({ rows: [{ id: 'old' }] });
});

test('what came before the refused commit stays, what builds on it never comes', async () => {
  const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
  const carol = await memoryLedger('carol');
  for (const _id of ['a', 'b', 'secret', 'c', 'd']) await bob.put({ _id });
  await carol.replica.receive(await blocksOf(bob));
  for (const from of [bob, carol]) {
    const joined = await meet(alice, from, noSecrets);
    expect(await joined.ended).toMatchObject([{ code: 'refused' }, { code: 'aborted-by-peer' }]);
  }
  expect((await alice.allDocs()).rows.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(alice.replica.blockCount).toBe(2);
});

test('live, and while other sessions go on', async () => {
  const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
  const carol = await memoryLedger('carol');
  const guarded = guardReplica(alice.replica, noSecrets);
  const withBob = join(guarded, bob.replica);
  const withCarol = join(guarded, carol.replica);
  await Promise.all([withBob.settled(), withCarol.settled()]);
  await bob.put({ _id: 'fine' });
  await bob.put({ _id: 'secret' });
  expect((await withBob.ended)[0]).toMatchObject({ code: 'refused' });
  await carol.put({ _id: 'from-carol' });
  await withCarol.settled();
  expect((await alice.allDocs()).rows.map(({ id }) => id)).toEqual(['fine', 'from-carol']);
  expect(await carol.digest()).toBe(await alice.digest());
  await withCarol.alice.close();
});

test('what waits for its parents is asked about as well, and so is what it waits for', async () => {
  const alice = await memoryLedger('alice', { now });
  const asked: string[] = [];
  const guarded = guardReplica(alice.replica, (incoming) => {
    asked.push(incoming.kind === 'commit' ? incoming.operations[0]!.id : 'snapshot');
    return noSecrets(incoming);
  });
  const parent = commitBlock({ timeMs: START_MS, operations: [putOf('secret-parent', {})] });
  const child = (id: string): Block =>
    commitBlock({ parents: [parent.cid], timeMs: START_MS + 1, operations: [putOf(id, {})] });
  const fine = child('fine');
  const refused = child('secret-child');
  await guarded.receive([fine]);
  await expect(guarded.receive([refused])).rejects.toMatchObject({ code: 'refused' });
  expect(await guarded.has(fine.cid)).toBe(true);
  expect(await guarded.has(refused.cid)).toBe(false);
  await expect(guarded.receive([parent])).rejects.toMatchObject({ code: 'refused' });
  // That one builds on a refused commit, so nobody has to look at it.
  await expect(guarded.receive([child('late')])).rejects.toMatchObject({ code: 'refused' });
  expect(asked).toEqual(['fine', 'secret-child', 'secret-parent']);
  expect(alice.count()).toBe(0);
  await guarded.receive([fine]);
  expect(asked).toHaveLength(3);
});

test('a snapshot lands when it is taken, and only then', async () => {
  for (const takes of [true, false]) {
    const bob = await memoryLedger('bob', { recentBytes: 0 });
    for (let n = 0; n < 5; n++) await bob.put({ _id: 'a', n });
    await bob.compact();
    const alice = await memoryLedger('alice');
    const told: IncomingChange[] = [];
    const joined = await meet(alice, bob, (incoming) => {
      told.push(incoming);
      return takes;
    });
    expect(told).toEqual([
      { kind: 'snapshot', root: expect.anything() as unknown, commitCount: 5 },
    ]);
    expect(await alice.get('a')).toEqual(takes ? { _id: 'a', n: 4 } : undefined);
    if (takes) await joined.bob.close();
    expect(await joined.ended).toMatchObject(
      takes ? [undefined, undefined] : [{ code: 'refused' }, { code: 'aborted-by-peer' }],
    );
  }
});

test('what is wrong in itself is told as that, and nobody is asked', async () => {
  const alice = await memoryLedger('alice', { now });
  const guarded = guardReplica(alice.replica, () => {
    throw new Error('not this one');
  });
  const odd = commitBlock({ timeMs: START_MS, operations: [deleteOf('')] });
  await expect(guarded.receive([odd])).rejects.toMatchObject({ code: 'malformed-commit' });
});

test('nothing refused is ever visible, and those with the same rules come to agree', async () => {
  await forSeeds(60, async (random) => {
    const share = 2 + random.below(8);
    const isRefused = (id: Uint8Array): boolean => id[0]! % share === 0;
    const validate: Validate = async (incoming) => {
      if (random.oneIn(3)) await Promise.resolve();
      return incoming.kind === 'snapshot' || !isRefused(incoming.id.multihash.digest);
    };
    const writers = await writersOf(random);
    const members = [await memoryLedger('one', { now }), await memoryLedger('two', { now })];
    for (const member of random.shuffled([...members, ...members])) {
      for (const writer of random.shuffled(writers)) await pass(random, writer, member, validate);
    }
    const [one, two] = members as [Ledger, Ledger];
    await guardReplica(one.replica, validate).receive(await blocksOf(two));
    await guardReplica(two.replica, validate).receive(await blocksOf(one));
    const held = await blocksOf(members[0]!);
    for (const { cid } of held) expect(isRefused(cid.multihash.digest)).toBe(false);
    expect(await members[1]!.digest()).toBe(await members[0]!.digest());
    // Whatever of the writers does not build on something refused is there.
    const keys = new Set(held.map(({ cid }) => cid.toString()));
    for (const writer of writers) {
      const refused = new Set<string>();
      for (const block of await blocksOf(writer)) {
        const parents = writer.replica.parentsOf(block)!.map(String);
        const isTaken =
          !isRefused(block.cid.multihash.digest) && !parents.some((each) => refused.has(each));
        if (!isTaken) refused.add(block.cid.toString());
        expect(keys.has(block.cid.toString())).toBe(isTaken);
      }
    }
    for (const ledger of [...writers, ...members]) await ledger.close();
  });
});

/** Ledgers that wrote concurrently, and passed some of it on. */
async function writersOf(random: Random): Promise<Ledger[]> {
  const writers: Ledger[] = [];
  for (let i = 2 + random.below(3); i > 0; i--) {
    writers.push(await memoryLedger(`writer${i}`, { now }));
  }
  for (let step = 5 + random.below(30); step > 0; step--) {
    const writer = random.pick(writers);
    await writer.put({ _id: `doc${random.below(4)}`, step });
    if (random.oneIn(4)) await random.pick(writers).replica.receive(await blocksOf(writer));
  }
  return writers;
}

/** Commits one at a time or in groups, going on behind what is refused, as another session would. */
async function pass(random: Random, from: Ledger, to: Ledger, validate: Validate): Promise<void> {
  const guarded = guardReplica(to.replica, validate);
  for (const group of random.groups(await blocksOf(from), random.pick([1, 4]))) {
    for (let at = 0; at < group.length; at++) {
      const error = await outcome(guarded.receive(group.slice(at)));
      if (error === undefined) break;
      expect(error).toBeInstanceOf(BlockError);
      expect(error).toMatchObject({ code: 'refused' });
      while (at < group.length - 1 && guarded.has(group[at]!.cid)) at++;
    }
  }
}
