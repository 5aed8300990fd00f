import { expect, test } from 'vitest';
import { RoomError } from '../../src/errors.ts';
import type { IncomingChange } from '../../src/ledger/guard.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { joinRoom } from '../../src/join-room.ts';
import type { TraceEvent } from '../../src/protocol/trace.ts';
import { traceSync } from '../../src/trace-sync.ts';
import { MemoryNetwork } from '../support/memory-linker.ts';
import { MemorySignaling } from '../support/memory-signaling.ts';
import { Random } from '../support/random.ts';
import { type Member, SECRET, withParty } from './support.ts';

const codeOf = ({ room }: Member): string | undefined => room.status.error?.code;
const names = ({ room }: Member): string[] => room.peers.map(({ info }) => String(info)).sort();

test('members get what each has, and then every write as it happens', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await alice.ledger.put({ _id: 'a', from: 'alice' });
    await bob.ledger.put({ _id: 'b', from: 'bob' });
    await Promise.all([alice.room.synced(), bob.room.synced()]);
    expect(await alice.ledger.get('b')).toMatchObject({ from: 'bob' });
    expect(await bob.ledger.get('a')).toMatchObject({ from: 'alice' });
    await alice.ledger.put({ _id: 'later', n: 1 });
    await alice.room.synced();
    expect(await bob.ledger.get('later')).toMatchObject({ n: 1 });
    expect(alice.room.status.state).toBe('live');
    expect(names(alice)).toEqual(['bob']);
    const [bobSeen] = alice.room.peers;
    expect(bobSeen).toMatchObject({ id: bob.room.id, state: 'live', access: 'write' });
  }));

test('what is traced of a room says which member it is about', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const events: TraceEvent[] = [];
    const stop = traceSync(alice.ledger, (event) => events.push(event));
    const peers = (): Set<unknown> => new Set(events.map(({ peer }) => peer));
    const bob = await party.join('bob');
    await bob.ledger.put({ _id: 'from bob' });
    const cids = (): string[] =>
      events.flatMap((event) => (event.kind === 'blocks' ? event.cids.map(String) : []));
    await expect.poll(cids).toEqual(bob.ledger.clock.map(String));
    expect(peers()).toEqual(new Set([bob.room.id]));
    const carol = await party.join('carol');
    await expect.poll(peers).toEqual(new Set([bob.room.id, carol.room.id]));
    stop();
  }));

test('alone in a room one is in sync as soon as a server has said so', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    await alice.room.synced();
    expect(alice.room.status).toMatchObject({ state: 'alone', error: undefined });
    expect(alice.room.peers).toEqual([]);
  }));

test('members with another secret never connect, and both sides say so', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const mallory = await party.join('mallory', { secret: new Uint8Array(16).fill(8) });
    await expect(mallory.room.synced()).rejects.toMatchObject({ code: 'wrong-secret' });
    await expect.poll(() => codeOf(alice)).toBe('wrong-secret');
    expect(mallory.room.status).toMatchObject({ state: 'alone', error: { code: 'wrong-secret' } });
    expect([alice.room.peers, mallory.room.peers, party.attempts]).toEqual([[], [], 0]);
    // Those who agree are not kept from each other.
    const bob = await party.join('bob');
    await bob.room.synced();
    expect(names(bob)).toEqual(['alice']);
    await mallory.room.leave();
    await expect.poll(() => [codeOf(alice), codeOf(bob)]).toEqual([undefined, undefined]);
  }));

test('who leaves is gone at once; the ledger stays, and can join again', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await bob.room.synced();
    for (let n = 0; n < 300; n++) void bob.ledger.put({ _id: `word ${n}`, text: 'x'.repeat(1000) });
    await bob.ledger.put({ _id: 'last words' });
    await bob.room.leave();
    expect(bob.room.status.state).toBe('left');
    await expect(bob.room.synced()).rejects.toMatchObject({ code: 'left' });
    await expect.poll(() => alice.room.peers).toEqual([]);
    expect(await alice.ledger.get('last words')).toBeDefined();
    expect((await alice.ledger.allDocs()).rows).toHaveLength(301);
    await bob.ledger.put({ _id: 'on second thought' });
    const again = party.enter(bob.ledger);
    await again.room.synced();
    expect(await alice.ledger.get('on second thought')).toBeDefined();
    expect(alice.room.peers).toMatchObject([{ id: again.room.id }]);
  }));

test('a member that comes back replaces its former self, of which nobody has heard the end', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await bob.room.synced();
    // A reload: the page is gone, the server has not noticed, and the links hang.
    const again = party.enter(bob.ledger);
    await again.room.synced();
    await expect.poll(() => alice.room.peers.map(({ id }) => id)).toEqual([again.room.id]);
    expect(again.room.peers.map(({ id }) => id)).toEqual([alice.room.id]);
  }));

test(
  'members that lost sight of each other while the server saw both meet again',
  () =>
    withParty(async (party) => {
      const alice = await party.join('alice');
      const bob = await party.join('bob');
      await bob.room.synced();
      party.vanish([bob]);
      await bob.ledger.put({ _id: 'meanwhile' });
      await expect.poll(() => [names(alice), names(bob)], { timeout: 20_000 }).toEqual([[], []]);
      party.network.healAll();
      party.server.tamper = (envelope) => [envelope];
      await expect
        .poll(() => [names(alice), names(bob)], { timeout: 20_000 })
        .toEqual([['bob'], ['alice']]);
      await bob.room.synced();
      expect(await alice.ledger.get('meanwhile')).toBeDefined();
    }),
  60_000,
);

test('closing the ledger ends the stay', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await bob.room.synced();
    await bob.ledger.close();
    await alice.ledger.put({ _id: 'news' });
    await expect.poll(() => bob.room.status.state).toBe('left');
    expect(bob.room.status.error).toMatchObject({
      code: 'left',
      cause: expect.anything() as unknown,
    });
  }));

test('of several servers one that is down makes no difference', () =>
  withParty(async (party) => {
    const spare = new MemorySignaling();
    const signaling = [party.server.adapter('first'), spare.adapter('second')];
    party.server.setDown(true);
    const alice = await party.join('alice', { signaling });
    const bob = await party.join('bob', { signaling });
    await Promise.all([alice.room.synced(), bob.room.synced()]);
    expect(names(alice)).toEqual(['bob']);
    party.server.setDown(false);
    spare.setDown(true);
    const carol = await party.join('carol', { signaling });
    await carol.room.synced();
    expect(names(carol)).toEqual(['alice', 'bob']);
    await expect
      .poll(() => carol.room.status.signaling)
      .toMatchObject([
        { name: 'first', status: { state: 'joined' } },
        { name: 'second', status: { state: 'waiting' } },
      ]);
  }));

test('two servers introduce the same two members once', () =>
  withParty(async (party) => {
    const signaling = [party.server.adapter('first'), new MemorySignaling().adapter('second')];
    const alice = await party.join('alice', { signaling });
    await alice.room.synced();
    const bob = await party.join('bob', { signaling });
    await bob.room.synced();
    expect([party.attempts, party.made]).toEqual([1, 1]);
    expect(alice.room.peers).toHaveLength(1);
  }));

test('when all servers are gone the linked members go on', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await bob.room.synced();
    party.server.setDown(true);
    await alice.ledger.put({ _id: 'offline' });
    await alice.room.synced();
    expect(await bob.ledger.get('offline')).toBeDefined();
    expect(alice.room.status).toMatchObject({
      state: 'live',
      signaling: [{ status: { state: 'waiting' } }],
    });
  }));

test('members that lost their link find each other through a third one when no server is there', () =>
  withParty(
    async (party) => {
      const alice = await party.join('alice');
      const bob = await party.join('bob');
      const carol = await party.join('carol');
      await Promise.all(party.members.map(({ room }) => room.synced()));
      const links = (member: Member): number =>
        member.room.peers.filter(({ state }) => state === 'live').length;
      await expect.poll(() => [alice, bob, carol].map(links)).toEqual([2, 2, 2]);
      party.server.setDown(true);
      party.network.cut('alice', 'bob');
      await expect.poll(() => links(alice)).toBe(1);
      party.network.heal('alice', 'bob');
      await expect.poll(() => party.made, { timeout: 10_000 }).toBe(4);
      await expect.poll(() => [alice, bob, carol].map(links)).toEqual([2, 2, 2]);
    },
    { goneAfterMs: 50 },
  ));

test('the app decides who is linked with, and whose writes are taken', () =>
  withParty(async (party) => {
    const seen: unknown[] = [];
    const alice = await party.join('alice', {
      authorize: ({ info }) => {
        seen.push(info);
        if (info === 'eve') throw new Error('not known');
        return info !== 'mallory';
      },
    });
    await party.join('mallory');
    await party.join('eve');
    const bob = await party.join('bob');
    await expect
      .poll(() => alice.room.peers.map(({ info, state }) => `${String(info)} ${state}`).sort())
      .toEqual(['bob live', 'eve refused', 'mallory refused']);
    expect(new Set(seen)).toEqual(new Set(['bob', 'eve', 'mallory']));
    const [, mallory] = party.members;
    await mallory!.ledger.put({ _id: 'from mallory' });
    await alice.ledger.put({ _id: 'from alice' });
    // Bob takes from everybody, and hands it on: to keep writes out, look at the commits.
    await expect.poll(() => bob.ledger.get('from mallory')).toBeDefined();
    await expect.poll(() => names(bob)).toEqual(['alice', 'eve', 'mallory']);
  }));

test('wrong options are refused before anything is done', async () => {
  const ledger = await openLedger('alice', { storage: 'memory' });
  const good = { room: 'garden', secret: SECRET, signaling: 'ws://127.0.0.1:1' };
  for (const wrong of [
    { room: '' },
    { room: 'x'.repeat(257) },
    { secret: '' },
    { secret: new Uint8Array(15) },
    { signaling: [] },
    { signaling: 'http://127.0.0.1' },
    { signaling: 'no url' },
    { info: 'x'.repeat(1024) },
    { info: () => {} },
    { maxPeers: 1 },
    { maxPeers: 2.5 },
    { connectTimeoutMs: 0 },
  ]) {
    expect(() => joinRoom(ledger, { ...good, ...wrong }), JSON.stringify(wrong)).toThrow(RoomError);
  }
  await ledger.close();
});

test('a server that cannot be reached is told in the status, and tried again', async () => {
  const ledger = await openLedger('alice', { storage: 'memory' });
  const linker = new MemoryNetwork(new Random(1)).linker('alice');
  const room = joinRoom(ledger, { room: 'garden', signaling: 'ws://127.0.0.1:1', linker });
  await expect.poll(() => room.status.state).toBe('offline');
  expect(room.status.signaling).toMatchObject([
    { name: 'ws://127.0.0.1:1', status: { state: 'waiting', error: { code: 'peer-gone' } } },
  ]);
  await expect(room.synced({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    name: 'TimeoutError',
  });
  await room.leave();
  await ledger.close();
});

test('a member with read access gets all, and brings nothing', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    await alice.ledger.put({ _id: 'song', plays: 1 });
    const bob = await party.join('bob', { access: 'read' });
    await bob.ledger.put({ _id: 'scribble' });
    await bob.ledger.put({ _id: 'song', plays: 9 });
    await bob.room.synced();
    await alice.room.synced();
    expect(alice.room.peers).toMatchObject([{ access: 'read', state: 'live' }]);
    await alice.ledger.put({ _id: 'later' });
    await alice.room.synced();
    expect(await bob.ledger.get('later')).toBeDefined();
    expect(await alice.ledger.get('scribble')).toBeUndefined();
    expect(await alice.ledger.get('song')).toMatchObject({ plays: 1 });
    expect(bob.room.peers).toMatchObject([{ state: 'live', error: undefined }]);
  }));

test('the app can take nothing from a member that would write', () =>
  withParty(async (party) => {
    const alice = await party.join('alice', {
      authorize: ({ info }) => (info === 'mallory' ? 'read' : 'write'),
    });
    const mallory = await party.join('mallory');
    await mallory.ledger.put({ _id: 'graffiti' });
    await mallory.room.synced();
    await alice.ledger.put({ _id: 'song' });
    await expect.poll(() => mallory.ledger.get('song')).toBeDefined();
    await mallory.ledger.put({ _id: 'more graffiti' });
    await mallory.room.synced();
    expect((await alice.ledger.allDocs()).rows.map(({ id }) => id)).toEqual(['song']);
  }));

test('what the rules refuse is stored nowhere, and ends the link that brought it', () =>
  withParty(async (party) => {
    const validate = (incoming: IncomingChange): string | undefined =>
      incoming.kind === 'commit' && incoming.operations.some(({ id }) => id.startsWith('admin/'))
        ? 'admin documents are not for everybody'
        : undefined;
    const alice = await party.join('alice', { validate });
    const bob = await party.join('bob', { validate });
    await bob.room.synced();
    await alice.ledger.put({ _id: 'fine' });
    await expect.poll(() => bob.ledger.get('fine')).toBeDefined();
    const mallory = await party.join('mallory');
    await mallory.room.synced();
    await mallory.ledger.put({ _id: 'also fine' });
    await mallory.ledger.put({ _id: 'admin/root' });
    await expect
      .poll(() => alice.room.peers.map(({ info, state }) => `${String(info)} ${state}`).sort())
      .toEqual(['bob live', 'mallory refused']);
    const refused = alice.room.peers.find(({ info }) => info === 'mallory');
    expect(refused?.error).toMatchObject({ code: 'refused' });
    expect(refused?.error?.message).toContain('not for everybody');
    await expect
      .poll(() => mallory.room.peers.map(({ state }) => state))
      .toEqual(['refused', 'refused']);
    for (const { ledger } of [alice, bob]) {
      expect(await ledger.get('also fine')).toBeDefined();
      expect(await ledger.get('admin/root')).toBeUndefined();
    }
    await bob.ledger.put({ _id: 'life goes on' });
    await expect.poll(() => alice.ledger.get('life goes on')).toBeDefined();
  }));
