import { afterEach, describe, expect, test } from 'vitest';
import {
  joinRoom,
  openLedger,
  PastedSignaling,
  type Ledger,
  type PastedLineStatus,
  type Room,
  type RoomOptions,
  Sync,
} from '../../src/index.ts';
import { MAX_LINE_MEMBERS, MAX_LINE_MESSAGE_BYTES } from '../../src/rooms/pasted-line.ts';
import { decodeSignal, encodeSignal } from '../../src/transports/signal.ts';
import { WebRtcLink } from '../../src/transports/webrtc.ts';
import { TestServers } from '../signaling/client.ts';
import { expectEqual } from '../sync/support.ts';
import { SECRET } from './support.ts';

const TIMEOUT_MS = 60_000;
const OPTIONS = { room: 'garden', secret: SECRET, iceServers: [] };

interface Person {
  readonly ledger: Ledger;
  readonly pasted: PastedSignaling;
  readonly room: Room;
}

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function signaling(options: { connectTimeoutMs?: number } = {}): PastedSignaling {
  const pasted = new PastedSignaling({ iceServers: [], ...options });
  ends.push(() => pasted.close());
  return pasted;
}

async function open(name: string): Promise<Ledger> {
  const ledger = await openLedger(name, { storage: 'memory' });
  ends.push(() => ledger.close());
  return ledger;
}

function enter(ledger: Ledger, options: Pick<RoomOptions, 'signaling'>): Room {
  const room = joinRoom(ledger, { ...OPTIONS, info: ledger.name, ...options });
  ends.push(() => room.leave());
  return room;
}

async function person(name: string): Promise<Person> {
  const ledger = await open(name);
  const pasted = signaling();
  return { ledger, pasted, room: enter(ledger, { signaling: pasted }) };
}

async function paste(from: PastedSignaling, to: PastedSignaling): Promise<void> {
  from.connect(await to.accept(await from.offer()));
}

const states = ({ lines }: PastedSignaling): PastedLineStatus['state'][] =>
  lines.map(({ status }) => status.state);

const live = (room: Room): string[] =>
  room.peers.flatMap(({ info, state }) => (state === 'live' ? [String(info)] : [])).sort();

/** These are linked with each other, and with nobody else. */
async function expectTogether(...people: { ledger: Ledger; room: Room }[]): Promise<void> {
  const names = people.map(({ ledger }) => ledger.name).sort();
  const seen = (): string[][] => people.map(({ room }) => live(room));
  const others = people.map(({ ledger }) => names.filter((name) => name !== ledger.name));
  await expect.poll(seen, { timeout: TIMEOUT_MS }).toEqual(others);
}

describe('a room without a server', () => {
  test('two who paste an offer and its answer have what each has, and presence', async () => {
    const alice = await person('alice');
    const bob = await person('bob');
    await alice.ledger.put({ _id: 'song', title: 'Wildfire' });
    await paste(alice.pasted, bob.pasted);
    await expectTogether(alice, bob);
    await bob.room.synced();
    expect(await bob.ledger.get('song')).toEqual({ _id: 'song', title: 'Wildfire' });
    await bob.ledger.put({ _id: 'song', title: 'Frost' });
    await bob.room.synced();
    await expectEqual(alice.ledger, bob.ledger);
    bob.room.presence.set({ x: 3 });
    await expect.poll(() => [...alice.room.presence.all().values()]).toEqual([{ x: 3 }]);
    expect([states(alice.pasted), states(bob.pasted)]).toEqual([['connected'], ['connected']]);
  });

  test('is alone, and in sync, while there is no line', async () => {
    const alice = await person('alice');
    await alice.room.synced();
    expect(alice.room.status).toEqual({
      state: 'alone',
      signaling: [{ name: 'pasted', status: { state: 'joined' } }],
      error: undefined,
    });
  });

  test('begins over lines that were pasted before anybody joined', async () => {
    const [alice, bob] = [await open('alice'), await open('bob')];
    const [alices, bobs] = [signaling(), signaling()];
    await paste(alices, bobs);
    await expect.poll(() => [states(alices), states(bobs)]).toEqual([['connected'], ['connected']]);
    const inAlices = { ledger: alice, room: enter(alice, { signaling: alices }) };
    await inAlices.room.synced();
    const inBobs = { ledger: bob, room: enter(bob, { signaling: bobs }) };
    await expectTogether(inAlices, inBobs);
  });

  test('a third who pastes with either of two is linked with both', async () => {
    const [alice, bob, carol] = [await person('alice'), await person('bob'), await person('carol')];
    await paste(alice.pasted, bob.pasted);
    await expectTogether(alice, bob);
    await paste(carol.pasted, bob.pasted);
    await expectTogether(alice, bob, carol);
    await carol.ledger.put({ _id: 'from carol' });
    await carol.room.synced();
    await expectEqual(alice.ledger, bob.ledger, carol.ledger);
    expect(states(carol.pasted)).toEqual(['connected']);
  });

  test('can be left and joined again over the same lines, at once too', async () => {
    const [alice, bob] = [await person('alice'), await person('bob')];
    await paste(alice.pasted, bob.pasted);
    await expectTogether(alice, bob);
    await bob.room.leave();
    await expect.poll(() => alice.room.peers).toEqual([]);
    await alice.ledger.put({ _id: 'meanwhile' });
    const again = { ledger: bob.ledger, room: enter(bob.ledger, { signaling: bob.pasted }) };
    await expectTogether(alice, again);
    await again.room.synced();
    expect(await bob.ledger.get('meanwhile')).toEqual({ _id: 'meanwhile' });
    const leaving = again.room.leave();
    const atOnce = { ledger: bob.ledger, room: enter(bob.ledger, { signaling: bob.pasted }) };
    await leaving;
    await expectTogether(alice, atOnce);
    expect(states(alice.pasted)).toEqual(['connected']);
  });

  test('goes on when its lines end', async () => {
    const [alice, bob] = [await person('alice'), await person('bob')];
    await paste(alice.pasted, bob.pasted);
    await expectTogether(alice, bob);
    await alice.pasted.close();
    await expect.poll(() => states(bob.pasted)).toEqual(['closed']);
    expect(bob.pasted.lines[0]!.status).toEqual({ state: 'closed' });
    await alice.ledger.put({ _id: 'later' });
    await alice.room.synced();
    expect(await bob.ledger.get('later')).toEqual({ _id: 'later' });
    await alice.room.leave();
    await expect.poll(() => bob.room.peers).toEqual([]);
  });

  test('people with another secret are not linked, and both are told', async () => {
    const alice = await person('alice');
    const ledger = await open('mallory');
    const pasted = signaling();
    const secret = new Uint8Array(16).fill(8);
    const room = joinRoom(ledger, { ...OPTIONS, secret, signaling: pasted });
    ends.push(() => room.leave());
    await paste(alice.pasted, pasted);
    const errors = (): unknown[] => [alice.room, room].map(({ status }) => status.error?.code);
    await expect.poll(errors).toEqual(['wrong-secret', 'wrong-secret']);
    expect([...alice.room.peers, ...room.peers]).toEqual([]);
    await pasted.close();
    await expect.poll(() => alice.room.status.error).toBe(undefined);
  });

  test('one that others reach by a server joins both', async () => {
    const servers = new TestServers();
    ends.push(() => servers.close());
    const { url } = await servers.start();
    const pasted = signaling();
    const [alice, bob] = [await open('alice'), await open('bob')];
    const inAlices = { ledger: alice, room: enter(alice, { signaling: url }) };
    const inBobs = { ledger: bob, room: enter(bob, { signaling: [pasted, url] }) };
    const carol = await person('carol');
    await paste(pasted, carol.pasted);
    await expectTogether(inAlices, inBobs, carol);
  });
});

describe('lines', () => {
  test('tell their course, each by its number', async () => {
    const [alice, bob] = [signaling(), signaling()];
    const seen: string[] = [];
    const stop = alice.subscribe(({ lines }) => {
      seen.push(lines.map(({ number, status }) => `${number} ${status.state}`).join());
    });
    const offer = await alice.offer();
    expect(alice.lines).toEqual([{ number: 1, status: { state: 'offering', text: offer } }]);
    expect(alice.lines).toBe(alice.lines);
    const answer = await bob.accept(offer);
    expect(bob.lines).toEqual([{ number: 1, status: { state: 'accepting', text: answer } }]);
    alice.connect(answer);
    await expect.poll(() => [states(alice), states(bob)]).toEqual([['connected'], ['connected']]);
    stop();
    const second = await alice.offer();
    expect(alice.lines[1]).toEqual({ number: 2, status: { state: 'offering', text: second } });
    expect([...new Set(seen)]).toEqual(['1 offering', '1 connecting', '1 connected']);
  });

  test('find their offers, in whatever order the answers come', async () => {
    const alice = signaling();
    const offers = [await alice.offer(), await alice.offer(), await alice.offer()];
    const others = offers.map(() => signaling());
    const answers = await Promise.all(others.map((other, i) => other.accept(offers[i]!)));
    for (const i of [2, 0, 1]) {
      alice.connect(answers[i]!);
      await expect.poll(() => states(others[i]!)).toEqual(['connected']);
    }
    expect(states(alice)).toEqual(['connected', 'connected', 'connected']);
  });

  test('refuse every text that does not belong here, and go on', async () => {
    const [alice, bob, carol] = [signaling(), signaling(), signaling()];
    const code = (error: string): unknown =>
      expect.objectContaining({ name: 'SignalError', code: error });
    expect(() => alice.connect('hello')).toThrow(code('not-a-signal'));
    const foreign = await carol.accept(await bob.offer());
    expect(() => alice.connect(foreign)).toThrow(code('wrong-state'));
    const offer = await alice.offer();
    expect(() => alice.connect(foreign)).toThrow(code('other-offer'));
    expect(() => alice.connect(offer)).toThrow(code('own-offer'));
    await expect(alice.accept(offer)).rejects.toEqual(code('own-offer'));
    const bobs = await bob.offer();
    expect(() => alice.connect(bobs)).toThrow(code('expected-answer'));
    const answer = await bob.accept(`https://game.example/#offer=${offer} come and play!`);
    await expect(alice.accept(answer)).rejects.toEqual(code('expected-offer'));
    await expect(bob.accept(offer)).rejects.toEqual(code('already-used'));
    alice.connect(answer);
    expect(() => alice.connect(answer)).toThrow(code('already-used'));
    await expect.poll(() => states(alice)).toEqual(['connected']);
    const late = await carol.accept(await alice.offer());
    await alice.close();
    expect(() => alice.connect(late)).toThrow(code('wrong-state'));
    await expect(alice.offer()).rejects.toEqual(code('wrong-state'));
  });

  test('say connect-timeout when nobody answers; the offer is then over', async () => {
    const [alice, bob] = [signaling({ connectTimeoutMs: 500 }), signaling()];
    const answer = await bob.accept(await alice.offer());
    await expect
      .poll(() => alice.lines[0]!.status)
      .toMatchObject({ state: 'closed', error: { code: 'connect-timeout' } });
    expect(() => alice.connect(answer)).toThrow(expect.objectContaining({ code: 'wrong-state' }));
  });

  const address = (n: number): string => String(n).padStart(22, 'a');
  const entered = (n: number): string =>
    JSON.stringify({ type: 'entered', room: 'room', member: address(n) });
  const message = (from: number, data = 'AAEC'): string =>
    JSON.stringify({ type: 'message', room: 'room', from: address(from), data });
  const welcome = JSON.stringify({ type: 'welcome', maxMessageBytes: 65_536, roomsPerSocket: 1 });
  const hostile: [string, string, (string | Uint8Array)[]][] = [
    ['bytes', 'malformed-frame', [welcome, Uint8Array.of(1, 2, 3)]],
    ['what is no JSON', 'malformed-frame', ['{']],
    ['a word of another type', 'malformed-frame', [welcome, '{"type":"dance"}']],
    ['a word that only servers say', 'unexpected-message', [welcome, '{"type":"pong"}']],
    ['anything before its welcome', 'unexpected-message', [entered(1)]],
    ['a second welcome', 'unexpected-message', [welcome, welcome]],
    [
      'that one has left who was not there',
      'unexpected-message',
      [welcome, entered(1), entered(2).replace('entered', 'left')],
    ],
    ['for somebody who is not there', 'unexpected-message', [welcome, entered(1), message(2)]],
    [
      'more than a message holds',
      'frame-too-large',
      [welcome, entered(1), message(1, 'A'.repeat(MAX_LINE_MESSAGE_BYTES))],
    ],
    [
      'of more members than a page has',
      'limit-exceeded',
      [welcome, ...Array.from({ length: MAX_LINE_MEMBERS + 1 }, (_, n) => entered(n))],
    ],
  ];

  test.each(hostile)(
    'end when a stranger says %s, and nothing else does',
    async (_, code, said) => {
      const [alice, bob] = [signaling(), signaling()];
      await paste(alice, bob);
      const link = new WebRtcLink({ iceServers: [], initiator: true, maxFrameBytes: 262_144 });
      ends.push(async () => link.destroy());
      const answer = await alice.accept(encodeSignal(await link.localSignal(), 'short'));
      link.acceptSignal(decodeSignal(answer));
      const channel = await link.connected;
      for (const frame of said) channel.send(frame);
      await expect
        .poll(() => alice.lines[1]!.status)
        .toMatchObject({ state: 'closed', error: { name: 'ProtocolError', code } });
      expect(states(bob)).toEqual(['connected']);
      expect(states(alice)).toEqual(['connected', 'closed']);
    },
  );

  test('end with an error when the other side is a Sync', async () => {
    const alice = signaling();
    const sync = new Sync(await open('bob'), { iceServers: [] });
    ends.push(() => sync.close());
    alice.connect(await sync.accept(await alice.offer()));
    await expect
      .poll(() => alice.lines[0]!.status)
      .toMatchObject({ state: 'closed', error: { code: 'malformed-frame' } });
  });
});
