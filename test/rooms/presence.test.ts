import { expect, test } from 'vitest';
import { RoomError } from '../../src/errors.ts';
import { withParty } from './support.ts';

test('values of presence show while their member stays, and go when it goes', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    alice.room.presence.set({ x: 1, bytes: new Uint8Array([1, 2]) });
    const bob = await party.join('bob');
    await bob.room.synced();
    // Set before bob came: he is told when the link stands.
    await expect
      .poll(() => bob.room.presence.all())
      .toEqual(new Map([[alice.room.id, { x: 1, bytes: new Uint8Array([1, 2]) }]]));
    let changes = 0;
    const unsubscribe = bob.room.presence.subscribe(() => changes++);
    alice.room.presence.set({ x: 2 });
    await expect.poll(() => bob.room.presence.all().get(alice.room.id)).toEqual({ x: 2 });
    const before = bob.room.presence.all();
    await new Promise((resolve) => setTimeout(resolve, 300));
    // The value that was sent again, reliably, is no news.
    expect([changes, bob.room.presence.all()]).toEqual([1, before]);
    expect(bob.room.presence.all()).toBe(before);
    unsubscribe();
    alice.room.presence.set(undefined);
    await expect.poll(() => bob.room.presence.all().size).toBe(0);
    alice.room.presence.set('here');
    await expect.poll(() => bob.room.presence.all().size).toBe(1);
    await alice.room.leave();
    await expect.poll(() => bob.room.presence.all().size).toBe(0);
    expect(changes).toBe(1);
    expect((await bob.ledger.allDocs()).rows).toEqual([]);
  }));

test('of very many updates at most sixty a second travel, and the last one in any case', () =>
  withParty(async (party) => {
    const alice = await party.join('alice');
    const bob = await party.join('bob');
    await bob.room.synced();
    let changes = 0;
    bob.room.presence.subscribe(() => changes++);
    const since = performance.now();
    for (let n = 0; performance.now() - since < 1000; n++) {
      alice.room.presence.set({ n });
      if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    alice.room.presence.set('done');
    await expect.poll(() => bob.room.presence.all().get(alice.room.id)).toBe('done');
    expect(changes).toBeGreaterThan(10);
    const seconds = (performance.now() - since) / 1000;
    expect(changes).toBeLessThanOrEqual(60 * seconds + 2);
  }));

test('a broadcast reaches everybody who is there, once, and nobody who comes later', () =>
  withParty(async (party) => {
    for (const name of ['alice', 'bob', 'carol']) await party.join(name);
    await expect
      .poll(() => party.members.map(({ room }) => room.presence && room.peers.length))
      .toEqual([2, 2, 2]);
    await Promise.all(party.members.map(({ room }) => room.synced()));
    const heard: string[] = [];
    for (const { room, ledger } of party.members) {
      room.onMessage((message, from) =>
        heard.push(`${ledger.name} ${JSON.stringify(message)} ${from}`),
      );
    }
    const [alice] = party.members;
    alice!.room.broadcast({ wave: 1 });
    await expect.poll(() => heard.length).toBe(2);
    const dave = await party.join('dave');
    dave.room.onMessage(() => heard.push('dave'));
    await dave.room.synced();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const from = alice!.room.id;
    expect(heard.sort()).toEqual([`bob {"wave":1} ${from}`, `carol {"wave":1} ${from}`]);
  }));

test('what is too large, or no data, is refused and not sent', () =>
  withParty(async (party) => {
    const { room } = await party.join('alice');
    for (const wrong of ['x'.repeat(20_000), () => {}, { a: undefined }, Number.NaN]) {
      expect(() => room.presence.set(wrong)).toThrow(RoomError);
      expect(() => room.broadcast(wrong)).toThrow(RoomError);
    }
    expect(room.presence.own).toBeUndefined();
  }));
