import { expect, onTestFinished, test } from 'vitest';
import { guardReplica } from '../../src/ledger/guard-replica.ts';
import type { Replica } from '../../src/protocol/replica.ts';
import type { TraceEvent } from '../../src/protocol/trace.ts';
import { traceSync } from '../../src/trace-sync.ts';
import { memoryLedger } from '../ledger/support.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { addTo, copyOf, filled, join, type Joined, type JoinOptions } from './wire.ts';

type Kind = TraceEvent['kind'];
type Event<K extends Kind> = Extract<TraceEvent, { kind: K }>;

/** What was told of the sessions of a replica. */
class Story {
  readonly events: TraceEvent[] = [];

  constructor(replica: Replica) {
    onTestFinished(traceSync(replica, (event) => this.events.push(event)));
  }

  of<K extends Kind>(kind: K): Event<K>[] {
    return this.events.filter((event): event is Event<K> => event.kind === kind);
  }

  messages(direction: 'in' | 'out'): [type: string, bytes: number][] {
    const messages = this.of('message').filter((event) => event.direction === direction);
    return messages.map(({ type, bytes }) => [type, bytes]);
  }

  blocks(direction: 'in' | 'out'): { cids: string[]; bytes: number } {
    const told = this.of('blocks').filter((event) => event.direction === direction);
    const bytes = told.reduce((sum, event) => sum + event.bytes, 0);
    return { cids: told.flatMap(({ cids }) => cids.map(String)), bytes };
  }

  get difference(): Pick<Event<'difference'>, 'how'> & { here: unknown; there: unknown } {
    const [first] = this.of('difference');
    return { how: first!.how, here: first!.lackedHere.count, there: first!.lackedThere.count };
  }
}

interface Stories {
  readonly joined: Joined;
  readonly alices: Story;
  readonly bobs: Story;
}

/** Both sides tell their story until they have all of each other. */
async function tell(alice: Replica, bob: Replica, options: JoinOptions = {}): Promise<Stories> {
  const [alices, bobs] = [new Story(alice), new Story(bob)];
  const joined = join(alice, bob, options);
  await joined.settled();
  return { joined, alices, bobs };
}

/** What one side says of what it sent the other one says of what it got, to the end. */
async function expectConsistent({ joined, alices, bobs }: Stories): Promise<void> {
  await joined.settled();
  await joined.alice.close();
  expect(await joined.ended).toEqual([undefined, undefined]);
  for (const [from, to, tap] of [
    [alices, bobs, joined.fromAlice],
    [bobs, alices, joined.fromBob],
  ] as const) {
    expect(to.messages('in')).toEqual(from.messages('out'));
    const sum = from.messages('out').reduce((bytes, [, each]) => bytes + each, 0);
    expect([from.messages('out').length, sum]).toEqual([tap.frames, tap.bytes]);
    expect(to.blocks('in')).toEqual(from.blocks('out'));
    const acknowledged = from.of('acknowledged').reduce((count, { blocks }) => count + blocks, 0);
    expect(acknowledged).toBe(from.blocks('out').cids.length);
    expect(from.events[0]).toMatchObject({ kind: 'opened', peer: undefined });
    expect(from.events.at(-1)).toMatchObject({ kind: 'closed', error: undefined });
    expect(new Set(from.events.map(({ session }) => session)).size).toBe(1);
  }
  expect(alices.events[0]!.session).not.toBe(bobs.events[0]!.session);
}

test('both sides tell one story of a sync by sketch, and of what is written then', async () => {
  const alice = filled(300, 'common');
  const bob = copyOf(alice);
  addTo(alice, 40, 'from alice');
  addTo(bob, 7, 'from bob');
  const lackedByAlice = bob.cids().slice(300).map(String);
  const lackedByBob = alice.cids().slice(300).map(String);
  const stories = await tell(alice, bob);
  const { alices, bobs } = stories;
  expect(alices.difference).toEqual({ how: 'sketch', here: 7, there: 40 });
  expect(bobs.difference).toEqual({ how: 'sketch', here: 40, there: 7 });
  expect(alices.of('difference')[0]!.lackedThere.cids.map(String)).toEqual(lackedByBob);
  expect(bobs.of('difference')[0]!.lackedThere.cids.map(String)).toEqual(lackedByAlice);
  expect(alices.of('difference')[0]!.lackedHere.cids.map(String)).toEqual(lackedByAlice.slice(-1));
  expect(alices.blocks('out').cids).toEqual(lackedByBob);
  alice.put('live', 1);
  await stories.joined.settled();
  expect(bobs.blocks('in').cids.at(-1)).toBe(String(alice.clock[0]));
  await expectConsistent(stories);
});

test.each([
  ['always', 64 * 1024],
  ['never', 2000],
] as const)('of large amounts too (compression: %s)', async (compression, maxFrameBytes) => {
  const options = { maxFrameBytes, alice: { compression }, bob: { compression } };
  const stories = await tell(filled(5000), new TinyReplica(), options);
  expect(stories.alices.difference).toEqual({ how: 'heads', here: 0, there: 5000 });
  expect(stories.bobs.difference).toEqual({ how: 'heads', here: 5000, there: 0 });
  expect(stories.alices.of('difference')[0]!.lackedThere.cids).toHaveLength(1000);
  const types = stories.alices.messages('out').map(([type]) => type);
  expect(types).toContain(compression === 'always' ? 'packed' : 'car');
  await expectConsistent(stories);
});

test('a difference says how it was found', async () => {
  const alice = filled(100);
  const same = await tell(alice, copyOf(alice));
  expect(same.alices.difference).toEqual({ how: 'equal', here: 0, there: 0 });
  await expectConsistent(same);

  const behind = copyOf(alice);
  addTo(alice, 10, 'news');
  const news = await tell(alice, behind);
  expect(news.alices.difference).toEqual({ how: 'heads', here: 0, there: 10 });
  expect(news.bobs.difference).toEqual({ how: 'heads', here: 10, there: 0 });
  await expectConsistent(news);

  const few = await tell(filled(3, 'a'), filled(5, 'b'));
  expect(few.alices.difference).toEqual({ how: 'list', here: 5, there: 3 });
  expect(few.bobs.difference).toEqual({ how: 'list', here: 3, there: 5 });
  await expectConsistent(few);
});

test('a ledger that has dropped commits tells of its snapshot, and of contexts', async () => {
  const [alice, bob] = [await memoryLedger('alice', { recentBytes: 0 }), await memoryLedger('bob')];
  for (let n = 0; n < 20; n++) await alice.put({ _id: 'doc', n });
  await alice.compact();
  const first = await tell(alice.replica, bob.replica);
  expect(first.alices.difference).toMatchObject({ how: 'snapshot', here: 0 });
  await expectConsistent(first);
  await Promise.all([alice.put({ _id: 'of alice' }), bob.put({ _id: 'of bob' })]);
  const second = await tell(alice.replica, bob.replica);
  expect(second.alices.difference).toEqual({ how: 'context', here: undefined, there: 1 });
  await expectConsistent(second);
});

test('an end by an error is told with it', async () => {
  const alice = filled(2000);
  const alices = new Story(alice);
  const joined = join(alice, new TinyReplica(), { cutAtFrame: 5 });
  const [error] = await joined.ended;
  expect(alices.of('closed')).toMatchObject([{ error }]);
  expect(error).toMatchObject({ code: 'peer-gone' });
});

test('who guards a replica is traced with it; who has ended their tracing hears nothing more', async () => {
  const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
  await bob.put({ _id: 'a' });
  const heard: TraceEvent[] = [];
  const stop = traceSync(alice, (event) => heard.push(event));
  const joined = join(
    guardReplica(alice.replica, () => true),
    bob.replica,
  );
  await joined.settled();
  expect(heard.filter(({ kind }) => kind === 'blocks')).toHaveLength(1);
  stop();
  const before = heard.length;
  await bob.put({ _id: 'b' });
  await joined.settled();
  await joined.alice.close();
  expect(await alice.get('b')).toEqual({ _id: 'b' });
  expect(heard).toHaveLength(before);
});

test('a tracing that begins in the middle tells what comes from then on', async () => {
  const [alice, bob] = [filled(100), new TinyReplica()];
  const joined = join(alice, bob);
  await joined.settled();
  const alices = new Story(alice);
  alice.put('live', 1);
  await joined.settled();
  expect(alices.of('blocks')).toMatchObject([{ direction: 'out', cids: alice.clock }]);
  expect(alices.of('acknowledged')).toMatchObject([{ blocks: 1 }]);
  await joined.alice.close();
});
