import { expect, onTestFinished, test, vi } from 'vitest';
import { RoomError } from '../../src/errors.ts';
import { LazyRoom } from '../../src/lazy-room.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { loadPart } from '../../src/load-part.ts';
import type { Replica } from '../../src/protocol/replica.ts';
import type { RoomOptions } from '../../src/room.ts';
import { roomSettings } from '../../src/room-settings.ts';
import { replicaOf } from '../../src/sync-source.ts';
import { memoryLedger } from '../ledger/support.ts';
import { FakeOrigin } from '../tabs/fake-origin.ts';
import { type Member, type Party, SECRET, withParty } from './support.ts';

type Machinery = typeof import('../../src/start-room.ts');

/** Of a browser: what it loads comes, or fails, when a test says so. */
class Network {
  loads = 0;
  #resolve: (part: Machinery) => void = () => {};
  #reject: (error: Error) => void = () => {};
  readonly load: () => Promise<Machinery> = loadPart(() => {
    this.loads += 1;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }, RoomError);

  async bring(): Promise<void> {
    this.#resolve(await import('../../src/start-room.ts'));
  }

  fail(): void {
    this.#reject(new TypeError('Failed to fetch'));
  }

  /** A stay in the room of a party, which is loaded by this network. */
  enter(party: Party, ledger: Ledger, options: Partial<RoomOptions> = {}): Member {
    const settings = roomSettings(party.optionsOf(ledger, options));
    return party.add(ledger, new LazyRoom(replicaOf(ledger), settings, this.load));
  }
}

test('what is asked of a room before it is loaded is done when it is', () =>
  withParty(async (party) => {
    const bob = await party.join('bob');
    await bob.ledger.put({ _id: 'of bob' });
    const network = new Network();
    const { ledger, room } = network.enter(party, await memoryLedger('alice'));

    const { id } = room;
    expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    const signaling = [{ name: 'memory', status: { state: 'connecting' } }];
    expect(room.status).toEqual({ state: 'joining', signaling, error: undefined });
    expect([room.peers, room.presence.all()]).toEqual([[], new Map()]);
    const said: unknown[] = [];
    const shown: unknown[] = [];
    const states: unknown[] = [];
    room.onMessage((message, from) => said.push([message, from]));
    room.presence.subscribe(() => shown.push(...room.presence.all()));
    room.subscribe((told) => states.push(told === room ? room.status.state : told));
    room.subscribe(() => states.push('after its end'))();
    room.presence.set({ x: 1 });
    room.broadcast('to nobody');
    for (const wrong of ['x'.repeat(20_000), () => {}]) {
      expect(() => room.presence.set(wrong)).toThrow(RoomError);
      expect(() => room.broadcast(wrong)).toThrow(RoomError);
    }
    expect(room.presence.own).toEqual({ x: 1 });
    const synced = room.synced();

    await network.bring();
    await synced;
    expect(await ledger.get('of bob')).toBeDefined();
    expect(bob.room.peers).toMatchObject([{ id, info: 'alice' }]);
    await expect.poll(() => [...bob.room.presence.all()]).toEqual([[id, { x: 1 }]]);
    expect([room.id, room.presence.own]).toEqual([id, { x: 1 }]);
    bob.room.broadcast('hello');
    await expect.poll(() => said).toEqual([['hello', bob.room.id]]);
    bob.room.presence.set('here');
    await expect.poll(() => shown).toEqual([[bob.room.id, 'here']]);
    expect(states).toContain('live');
    expect(states).not.toContain('after its end');
  }));

test('a room that cannot be loaded says so, loses nothing, and is tried again', () =>
  withParty(async (party) => {
    const bob = await party.join('bob');
    const network = new Network();
    const alice = network.enter(party, await memoryLedger('alice'));
    const carol = network.enter(party, await memoryLedger('carol'));
    alice.room.presence.set('here');
    const synced = alice.room.synced();
    expect(network.loads).toBe(1);
    network.fail();
    for (const { room } of [alice, carol]) {
      await expect.poll(() => room.status.state).toBe('offline');
      expect(room.status.error).toBeInstanceOf(RoomError);
      expect(room.status).toMatchObject({
        error: { code: 'not-loaded', cause: { message: 'Failed to fetch' } },
        signaling: [{ status: { state: 'waiting', error: { code: 'not-loaded' } } }],
      });
    }
    await alice.ledger.put({ _id: 'meanwhile' });
    await expect.poll(() => network.loads).toBe(2);
    await network.bring();
    await Promise.all([synced, carol.room.synced()]);
    await expect.poll(() => alice.room.status).toMatchObject({ state: 'live', error: undefined });
    expect(await bob.ledger.get('meanwhile')).toBeDefined();
    await expect.poll(() => bob.room.presence.all().get(alice.room.id)).toBe('here');
    expect(network.loads).toBe(2);
  }));

test('it is tried again at once when the machine has a network again', () =>
  withParty(async (party) => {
    const page = new EventTarget();
    vi.stubGlobal('window', page);
    onTestFinished(() => void vi.unstubAllGlobals());
    const network = new Network();
    const { room } = network.enter(party, await memoryLedger('alice'));
    let loads = 0;
    // Eight attempts that each waited for its time would take half a minute.
    while (loads < 8) {
      expect(network.loads).toBe(++loads);
      const failed = new Promise((resolve) => room.subscribe(resolve));
      network.fail();
      await failed;
      page.dispatchEvent(new Event('online'));
    }
    await network.bring();
    await room.synced();
    expect(room.status.state).toBe('alone');
    page.dispatchEvent(new Event('online'));
    expect(network.loads).toBe(9);
  }));

test.each(['is loading', 'could not be loaded'])('a room that %s can be left', (when) =>
  withParty(async (party) => {
    const page = new EventTarget();
    vi.stubGlobal('window', page);
    onTestFinished(() => void vi.unstubAllGlobals());
    const bob = await party.join('bob');
    const network = new Network();
    const { room } = network.enter(party, await memoryLedger('alice'));
    const outcome = room.synced().catch((error: unknown) => error);
    if (when === 'could not be loaded') {
      network.fail();
      await expect.poll(() => room.status.state).toBe('offline');
    }
    const states: string[] = [];
    room.subscribe(({ status }) => states.push(status.state));
    await room.leave();
    expect(states).toEqual(['left']);
    expect(room.status).toMatchObject({ state: 'left', error: undefined });
    expect(await outcome).toMatchObject({ name: 'RoomError', code: 'left' });
    await expect(room.synced()).rejects.toMatchObject({ code: 'left' });

    // Another member, since nothing is heard of what does not happen.
    await network.bring();
    page.dispatchEvent(new Event('online'));
    await party.join('carol');
    await expect.poll(() => bob.room.peers.map(({ info }) => info)).toEqual(['carol']);
    expect([states, network.loads]).toEqual([['left'], 1]);
  }),
);

test('who waits for a room that is loading can give up', () =>
  withParty(async (party) => {
    const network = new Network();
    const { room } = network.enter(party, await memoryLedger('alice'));
    const reason = new Error('enough');
    await expect(room.synced({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const giveUp = new AbortController();
    const waiting = room.synced({ signal: giveUp.signal });
    giveUp.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await network.bring();
    await room.synced();
  }));

test('a tab whose ledger is closed before the room was loaded does not go in', () =>
  withParty(async (party) => {
    const bob = await party.join('bob');
    const ledger = await new FakeOrigin().newTab().open('notes');
    const network = new Network();
    const { room } = network.enter(party, ledger);
    await ledger.close();
    expect(room.status).toMatchObject({ state: 'left', error: { code: 'left' } });
    await network.bring();
    await party.join('carol');
    await expect.poll(() => bob.room.peers.map(({ info }) => info)).toEqual(['carol']);
  }));

test('options count as they were when the room was joined', () =>
  withParty(async (party) => {
    const bob = await party.join('bob');
    const network = new Network();
    const secret = SECRET.slice();
    const info = { name: 'alice' };
    const signaling = [party.server.adapter('first')];
    const { room } = network.enter(party, await memoryLedger('alice'), { secret, info, signaling });
    secret.fill(0);
    info.name = 'mallory';
    signaling.pop();
    await network.bring();
    await room.synced();
    expect(bob.room.peers).toMatchObject([{ id: room.id, info: { name: 'alice' } }]);
    expect(room.status).toMatchObject({ signaling: [{ name: 'first' }], error: undefined });
  }));

test('a room that cannot be entered is left, and says why', () =>
  withParty(async (party) => {
    const ledger = await memoryLedger('alice');
    const cause = new Error('no id');
    const replica: Replica = Object.create(replicaOf(ledger), {
      id: {
        get: () => {
          throw cause;
        },
      },
    });
    const network = new Network();
    const room = new LazyRoom(replica, roomSettings(party.optionsOf(ledger)), network.load);
    await network.bring();
    await expect(room.synced()).rejects.toMatchObject({ code: 'left', cause });
    expect(room.status).toMatchObject({ state: 'left', error: { code: 'left', cause } });
  }));
