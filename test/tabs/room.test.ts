import { expect, onTestFinished, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { type Member, Party } from '../rooms/support.ts';
import { FakeOrigin, type FakeTab } from './fake-origin.ts';

/** Two tabs of one person, and bob, in a room. */
async function setUp(): Promise<{
  tabs: FakeTab[];
  ledgers: Ledger[];
  rooms: Member['room'][];
  bob: Member;
}> {
  const party = new Party();
  const origin = new FakeOrigin();
  const tabs = [origin.newTab(), origin.newTab()];
  const ledgers: Ledger[] = [];
  for (const tab of tabs) ledgers.push(await tab.open('notes'));
  const bob = await party.join('bob');
  const rooms = ledgers.map((ledger) => party.enter(ledger, { info: 'alice' }).room);
  await expect.poll(() => rooms.map(({ status }) => status.state)).toEqual(['live', 'live']);
  onTestFinished(async () => {
    for (const [n, tab] of tabs.entries()) {
      if (tab.state === 'killed') continue;
      await rooms[n]!.leave();
      await ledgers[n]!.close();
    }
    await bob.room.leave();
    await bob.ledger.close();
  });
  return { tabs, ledgers, rooms, bob };
}

test('tabs are one member of a room, and see and say the same there', async () => {
  const { ledgers, rooms, bob } = await setUp();
  expect(bob.room.peers).toMatchObject([{ info: 'alice', state: 'live' }]);
  for (const room of rooms) {
    expect(room.peers).toMatchObject([{ id: bob.room.id }]);
    expect(room.id).toBe(bob.room.peers[0]!.id);
  }
  await bob.ledger.put({ _id: 'of bob' });
  await ledgers[1]!.put({ _id: 'of the second' });
  await Promise.all(rooms.map((room) => room.synced()));
  expect(await bob.ledger.get('of the second')).toEqual({ _id: 'of the second' });
  for (const ledger of ledgers) expect(await ledger.get('of bob')).toEqual({ _id: 'of bob' });

  const heard: unknown[] = [];
  for (const room of rooms) room.onMessage((message) => heard.push(message));
  bob.room.broadcast('to all');
  await expect.poll(() => heard).toEqual(['to all', 'to all']);
  const fromTabs: unknown[] = [];
  bob.room.onMessage((message) => fromTabs.push(message));
  for (const [n, room] of rooms.entries()) room.broadcast(n);
  await expect.poll(() => new Set(fromTabs)).toEqual(new Set([0, 1]));

  bob.room.presence.set({ x: 1n });
  await expect
    .poll(() => rooms.map(({ presence }) => [...presence.all().values()]))
    .toEqual([[{ x: 1 }], [{ x: 1 }]]);
  rooms[1]!.presence.set('second');
  await expect.poll(() => [...bob.room.presence.all().values()]).toEqual(['second']);
  await expect.poll(() => rooms.map(({ presence }) => presence.own)).toEqual(['second', 'second']);
  expect(() => rooms[1]!.broadcast(() => {})).toThrow(
    expect.objectContaining({ code: 'invalid-option' }),
  );
});

test.each(['leaves', 'is killed'])(
  'another tab goes in when the one in the room %s',
  async (how) => {
    const { tabs, ledgers, rooms, bob } = await setUp();
    rooms[0]!.presence.set('here');
    await expect.poll(() => rooms[1]!.presence.own).toBe('here');
    const before = rooms[1]!.id;
    if (how === 'leaves') await rooms[0]!.leave();
    else tabs[0]!.kill();
    await expect.poll(() => rooms[1]!.id, { timeout: 10_000 }).not.toBe(before);
    await rooms[1]!.synced();
    await expect
      .poll(() => bob.room.peers.map(({ id }) => id), { timeout: 20_000 })
      .toEqual([rooms[1]!.id]);
    await ledgers[1]!.put({ _id: 'after' });
    await rooms[1]!.synced();
    expect(await bob.ledger.get('after')).toEqual({ _id: 'after' });
    await expect.poll(() => [...bob.room.presence.all().values()]).toEqual(['here']);
  },
);

test('a tab whose ledger is closed leaves the room to the other', async () => {
  const { ledgers, rooms } = await setUp();
  const before = rooms[1]!.id;
  await ledgers[0]!.close();
  await expect.poll(() => rooms[1]!.id, { timeout: 10_000 }).not.toBe(before);
  await rooms[1]!.synced();
});
