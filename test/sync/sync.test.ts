/** Sync at its public face: real ledgers, real WebRTC. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Block, blockOf } from '../../src/blocks.ts';
import { carFrames, carHeader } from '../../src/car/writer.ts';
import {
  BlockError,
  ConnectionError,
  LedgerError,
  openLedger,
  ProtocolError,
  Sync,
  type Ledger,
  type SyncOptions,
  type SyncStatus,
} from '../../src/index.ts';
import { encodeMessage } from '../../src/protocol/messages.ts';
import { decodeSignal, encodeSignal } from '../../src/transports/signal.ts';
import { commitBlock, putOf } from '../ledger/commits.ts';
import { memoryLedger } from '../ledger/support.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { carOf, helloOf, outcome } from '../protocol/wire.ts';
import { RawPeer } from '../support/original-peer.ts';
import { forSeeds, type Random } from '../support/random.ts';
import { TinyReplica } from '../support/tiny-replica.ts';
import { arrived, ended, expectEqual, fill, statusWhere, underWay } from './support.ts';

function syncOf(source: ConstructorParameters<typeof Sync>[0], options: SyncOptions = {}): Sync {
  const sync = new Sync(source, { iceServers: [], ...options });
  onTestFinished(() => sync.destroy());
  return sync;
}

/** Introduces two Syncs to each other. */
async function connect(alice: Sync, bob: Sync): Promise<void> {
  alice.connect(await bob.accept(await alice.offer()));
  await Promise.all([alice.connected(), bob.connected()]);
}

async function connectLedgers(
  alice: Ledger,
  bob: Ledger,
  options: SyncOptions = {},
): Promise<[Sync, Sync]> {
  const syncs: [Sync, Sync] = [syncOf(alice, options), syncOf(bob, options)];
  await connect(...syncs);
  return syncs;
}

const candidatesIn = (sdp: string): string[] => sdp.match(/^a=candidate:.*$/gm) ?? [];

/** The signal with its first `count` candidates. */
function withCandidates(signal: string, count: number): string {
  const { type, sdp } = decodeSignal(signal);
  const extra = new Set(candidatesIn(sdp).slice(count));
  const lines = sdp.split('\r\n').filter((line) => !extra.has(line));
  return encodeSignal({ type, sdp: lines.join('\r\n') }, 'short');
}

describe('the handshake', () => {
  it('brings two ledgers together by three strings', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'from-alice', n: 1 });
    await bob.put({ _id: 'from-bob', n: 2 });
    const [atAlice, atBob] = await connectLedgers(alice, bob);
    expect(await Promise.all([atAlice.backlog(), atBob.backlog()])).toEqual([
      { ok: true },
      { ok: true },
    ]);
    expect(await alice.get('from-bob')).toEqual({ _id: 'from-bob', n: 2 });
    expect(await bob.get('from-alice')).toEqual({ _id: 'from-alice', n: 1 });
    await expectEqual(alice, bob);
  });

  it('needs at most 150 characters for an offer or answer with one or two candidates', async () => {
    const alice = syncOf(await memoryLedger('alice'));
    const bob = syncOf(await memoryLedger('bob'));
    const offer = await alice.offer();
    const answer = await bob.accept(offer);
    for (const signal of [offer, answer]) {
      expect(signal).toMatch(/^[A-Za-z0-9]+$/);
      for (const count of [1, 2]) {
        const short = withCandidates(signal, count);
        expect(candidatesIn(decodeSignal(short).sdp).length).toBe(
          Math.min(count, candidatesIn(decodeSignal(signal).sdp).length),
        );
        expect(short.length).toBeLessThanOrEqual(150);
      }
    }
    const candidates = candidatesIn(decodeSignal(offer).sdp).length;
    console.log(
      `an offer with ${candidates} candidates: ${offer.length} characters, ` +
        `with one: ${withCandidates(offer, 1).length}, with two: ${withCandidates(offer, 2).length}`,
    );
  });

  it('works in the original form too; the answer then comes in that form', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'doc' });
    const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
    const offer = await atAlice.offer({ format: 'original' });
    expect(JSON.parse(atob(offer))).toMatchObject({ type: 'offer', sdp: expect.any(String) });
    const answer = await atBob.accept(offer);
    expect(JSON.parse(atob(answer))).toMatchObject({ type: 'answer', sdp: expect.any(String) });
    atAlice.connect(answer);
    await atBob.backlog();
    await atAlice.synced();
    await expectEqual(alice, bob);
  });

  it.each<[how: string, mangle: (signal: string) => string]>([
    ['broken into lines', (signal) => signal.replace(/.{40}/g, '$&\r\n')],
    ['broken into lines that are quoted', (signal) => `> ${signal.replace(/.{50}/g, '$&\n> ')}`],
    ['in quotation marks, with a greeting', (signal) => `Hi! Here it is: “${signal}”.`],
    ['with zero-width characters', (signal) => signal.replace(/.{20}/g, '$&\u200b')],
    ['with a byte order mark and spaces', (signal) => `\ufeff  ${signal}\t\n\n`],
    ['in a link', (signal) => `https://app.example/#join=${encodeURIComponent(signal)}`],
  ])('takes signals as messengers deliver them: %s', async (_how, mangle) => {
    for (const format of ['short', 'original'] as const) {
      const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
      const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
      const answer = await atBob.accept(mangle(await atAlice.offer({ format })));
      atAlice.connect(mangle(answer));
      await Promise.all([atAlice.backlog(), atBob.backlog()]);
    }
  });
});

describe('the status', () => {
  it('tells the course of each side, and of the first sync in figures', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await fill(alice);
    const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
    const told = { alice: [] as SyncStatus[], bob: [] as SyncStatus[] };
    atAlice.subscribe((status) => told.alice.push(status));
    atBob.subscribe((status) => told.bob.push(status));
    expect(atAlice.status).toEqual({ state: 'new' });

    await connect(atAlice, atBob);
    await Promise.all([atAlice.backlog(), atBob.backlog()]);
    expect(atAlice.status).toEqual({ state: 'live' });
    await atAlice.close();
    expect(await ended(atBob)).toBeUndefined();

    const course = (statuses: SyncStatus[]): string[] =>
      statuses.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1]);
    expect(course(told.alice)).toEqual(['offering', 'connecting', 'syncing', 'live', 'closed']);
    expect(course(told.bob)).toEqual(['accepting', 'syncing', 'live', 'closed']);

    const progress = told.bob.flatMap((status) =>
      status.state === 'syncing' && status.progress.toReceive.blocks > 0 ? [status.progress] : [],
    );
    expect(progress.length).toBeGreaterThan(2);
    const received = progress.map((figures) => figures.received.bytes);
    expect(received).toEqual([...received].sort((a, b) => a - b));
    expect(received.at(-1)).toBeGreaterThan(1_000_000);
    for (const { received, toReceive } of progress) {
      expect(toReceive.blocks).toBe(120);
      expect(received.blocks).toBeLessThanOrEqual(toReceive.blocks);
    }
  });

  it('is told to nobody who unsubscribed', async () => {
    const sync = syncOf(await memoryLedger('alice'));
    const told: string[] = [];
    const unsubscribe = sync.subscribe(({ state }) => told.push(state));
    await sync.offer();
    unsubscribe();
    sync.destroy();
    expect(told).toEqual(['offering']);
    expect(sync.status).toEqual({ state: 'closed' });
  });

  it('ends with closed for every listener, also when one of them destroys the Sync', async () => {
    const sync = syncOf(await memoryLedger('alice'));
    const told: string[] = [];
    sync.subscribe(({ state }) => {
      if (state === 'offering') sync.destroy();
    });
    sync.subscribe(({ state }) => told.push(state));
    await expect(sync.offer()).rejects.toMatchObject({ name: 'ConnectionError', code: 'closed' });
    expect(told).toEqual(['closed']);
  });
});

describe('a live Sync', () => {
  it('carries each write to the other side; synced tells that it is stored there', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const [atAlice, atBob] = await connectLedgers(alice, bob);
    for (let i = 0; i < 20; i++) {
      await alice.put({ _id: 'from-alice', i });
      await atAlice.synced();
      expect(await bob.get('from-alice')).toEqual({ _id: 'from-alice', i });
      await bob.put({ _id: 'from-bob', i });
      await atBob.synced();
      expect(await alice.get('from-bob')).toEqual({ _id: 'from-bob', i });
    }
    await expectEqual(alice, bob);
  });

  it.each([
    ['right after it connected', 'connected'],
    ['long after the first sync', 'backlog'],
  ] as const)('delivers what was written before close, %s', async (_when, after) => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const [atAlice, atBob] = await connectLedgers(alice, bob);
    await Promise.all([atAlice[after](), atBob[after]()]);
    await fill(alice, 'from-alice', 20);
    await bob.put({ _id: 'from-bob' });
    await atAlice.close();
    expect(await ended(atBob)).toBeUndefined();
    expect(atAlice.status).toEqual({ state: 'closed' });
    expect(bob.count()).toBe(21);
    await expectEqual(alice, bob);
    await atAlice.close();
  });

  it('merges what both sides write during the first sync', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await fill(alice, 'alice', 60);
    await fill(bob, 'bob', 60);
    const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
    const writeWhileSyncing = async (sync: Sync, ledger: Ledger, by: string): Promise<number> => {
      await statusWhere(sync, ({ state }) => state === 'syncing');
      let count = 0;
      while (sync.status.state === 'syncing') {
        await ledger.put({ _id: `during:${by}:${count++}` });
        await ledger.put({ _id: 'both', by, count });
        await new Promise((resolve) => setImmediate(resolve));
      }
      return count;
    };
    const writing = Promise.all([
      writeWhileSyncing(atAlice, alice, 'alice'),
      writeWhileSyncing(atBob, bob, 'bob'),
    ]);
    await connect(atAlice, atBob);
    const [byAlice, byBob] = await writing;
    await Promise.all([atAlice.synced(), atBob.synced()]);
    await expectEqual(alice, bob);
    expect(alice.count()).toBe(120 + byAlice + byBob + 1);
    expect(Math.min(byAlice, byBob)).toBeGreaterThan(1);
  });

  it('passes on what comes by another Sync of the same ledger', async () => {
    const [alice, bob, carol] = await Promise.all([
      memoryLedger('alice'),
      memoryLedger('bob'),
      memoryLedger('carol'),
    ]);
    await alice.put({ _id: 'before', by: 'alice' });
    await connectLedgers(alice, bob);
    await connectLedgers(bob, carol);
    await arrived(carol, 'before');
    await Promise.all([
      alice.put({ _id: 'from-alice' }),
      carol.put({ _id: 'from-carol' }),
      arrived(carol, 'from-alice'),
      arrived(alice, 'from-carol'),
    ]);
    await expectEqual(alice, bob, carol);
  });

  it('goes on after the ledgers were connected, closed and connected again', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    for (let round = 0; round < 3; round++) {
      const [atAlice, atBob] = await connectLedgers(alice, bob);
      await alice.put({ _id: `alice:${round}` });
      await bob.put({ _id: `bob:${round}` });
      await Promise.all([atAlice.synced(), atBob.synced()]);
      await expectEqual(alice, bob);
      await (round % 2 === 0 ? atAlice : atBob).close();
      await alice.put({ _id: `alone:${round}` });
    }
  });
});

describe('a signal that cannot be used is refused with a SignalError', () => {
  const refusal = (code: string): object => ({ name: 'SignalError', code });
  const expectRefused = async (sync: Sync, signal: string, code: string): Promise<void> => {
    const before = sync.status;
    await expect(sync.accept(signal)).rejects.toMatchObject(refusal(code));
    expect(sync.status).toBe(before);
  };
  const expectConnectRefused = (sync: Sync, signal: string, code: string): void => {
    const before = sync.status;
    expect(() => sync.connect(signal)).toThrow(expect.objectContaining(refusal(code)));
    expect(sync.status).toBe(before);
  };

  it.each(['short', 'original'] as const)(
    'when it answers an offer that was given up: the next one, in the %s form, goes on waiting',
    async (format) => {
      const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
      const given = syncOf(alice);
      const late = await syncOf(bob).accept(await given.offer({ format }));
      given.destroy();
      const next = syncOf(alice);
      const answer = await syncOf(bob).accept(await next.offer({ format }));
      expectConnectRefused(next, late, 'other-offer');
      next.connect(answer);
      await next.backlog();
    },
  );

  it('when it is no signal, or cut off at any place, in either form', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    for (const format of ['short', 'original'] as const) {
      const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
      const offer = await atAlice.offer({ format });
      for (const text of ['', ' \n', 'hello', 'ember', '{}', 'x'.repeat(100_000), '\u0000\ud800']) {
        await expectRefused(atBob, text, 'not-a-signal');
        expectConnectRefused(atAlice, text, 'not-a-signal');
      }
      for (const part of [0.3, 0.5, 0.9, 0.99]) {
        const length = Math.floor(offer.length * part);
        await expectRefused(atBob, offer.slice(0, length), 'truncated');
        expectConnectRefused(atAlice, offer.slice(0, length), 'truncated');
      }
      await expectRefused(atBob, offer.slice(30), 'not-a-signal');
      // Both are still as good as new.
      atAlice.connect(await atBob.accept(offer));
      await Promise.all([atAlice.backlog(), atBob.backlog()]);
    }
  });

  it('when it is no text at all', async () => {
    const sync = syncOf(await memoryLedger('alice'));
    for (const signal of [undefined, null, 7, {}] as unknown as string[]) {
      await expectRefused(sync, signal, 'not-a-signal');
      expectConnectRefused(sync, signal, 'not-a-signal');
    }
  });

  it('when it is the other kind', async () => {
    const [atAlice, atBob] = [syncOf(await memoryLedger('a')), syncOf(await memoryLedger('b'))];
    const atCarol = syncOf(await memoryLedger('c'));
    const offer = await atAlice.offer();
    const answer = await atBob.accept(offer);
    await expectRefused(atCarol, answer, 'expected-offer');
    expectConnectRefused(atCarol, offer, 'expected-answer');
    atAlice.connect(answer);
    await atAlice.connected();
  });

  it("when it is this ledger's own offer", async () => {
    const ledger = await memoryLedger('alice');
    const sync = syncOf(ledger);
    const offer = await sync.offer();
    await expectRefused(sync, offer, 'own-offer');
    expectConnectRefused(sync, offer, 'own-offer');
    await expectRefused(syncOf(ledger), offer, 'own-offer');
  });

  it('when the offer was accepted before, by this Sync or another one of this ledger', async () => {
    const alice = syncOf(await memoryLedger('alice'));
    const bob = await memoryLedger('bob');
    const atBob = syncOf(bob);
    const offer = await alice.offer();
    const answer = await atBob.accept(offer);
    await expectRefused(atBob, offer, 'already-used');
    await expectRefused(syncOf(bob), offer, 'already-used');
    alice.connect(answer);
    await atBob.backlog();
  });

  it('but an offer whose accepting failed may be accepted again', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const atAlice = syncOf(alice);
    const offer = await atAlice.offer();
    const first = syncOf(bob);
    const accepting = outcome(first.accept(offer));
    first.destroy();
    expect(await accepting).toMatchObject({ name: 'ConnectionError', code: 'closed' });
    const atBob = syncOf(bob);
    atAlice.connect(await atBob.accept(offer));
    await Promise.all([atAlice.backlog(), atBob.backlog()]);
  });

  it.each([
    ['the one who accepted first', 0],
    ['the one who accepted last', 1],
  ])('when two people accepted one offer and %s was answered', async (_who, chosen) => {
    const [alice, bob, carol] = await Promise.all([
      memoryLedger('alice'),
      memoryLedger('bob'),
      memoryLedger('carol'),
    ]);
    const atAlice = syncOf(alice, { connectTimeoutMs: 5000 });
    const others = [syncOf(bob), syncOf(carol)];
    const offer = await atAlice.offer();
    const answers = [await others[0]!.accept(offer), await others[1]!.accept(offer)];
    const late = answers[1 - chosen]!;
    atAlice.connect(answers[chosen]!);
    expectConnectRefused(atAlice, late, 'already-used');
    expectConnectRefused(atAlice, answers[chosen]!, 'already-used');
    await alice.put({ _id: 'doc' });
    await Promise.all([atAlice.synced(), others[chosen]!.backlog()]);
    expectConnectRefused(atAlice, late, 'already-used');
    await expectEqual(alice, [bob, carol][chosen]!);
  });

  it('when the Sync is not at that point', async () => {
    const atAlice = syncOf(await memoryLedger('alice'));
    const atBob = syncOf(await memoryLedger('bob'));
    const atCarol = syncOf(await memoryLedger('carol'));
    const offer = await atAlice.offer();
    const answer = await atBob.accept(offer);
    expectConnectRefused(atCarol, answer, 'wrong-state');
    await expect(atAlice.offer()).rejects.toMatchObject(refusal('wrong-state'));
    await expect(atBob.offer()).rejects.toMatchObject(refusal('wrong-state'));
    await expectRefused(atAlice, await atCarol.offer(), 'wrong-state');
    expect(atAlice.status).toEqual({ state: 'offering' });
    atAlice.destroy();
    expectConnectRefused(atAlice, answer, 'wrong-state');
    await expect(atAlice.offer()).rejects.toMatchObject(refusal('wrong-state'));
  });
});

describe('a connection that does not come about', () => {
  it('ends the offering Sync with connect-timeout when no answer comes', async () => {
    const sync = syncOf(await memoryLedger('alice'), { connectTimeoutMs: 500 });
    const connected = outcome(sync.connected());
    await sync.offer();
    const error = await ended(sync);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code: 'connect-timeout' });
    expect(await connected).toBe(error);
    await expect(sync.synced()).rejects.toBe(error);
    await expect(sync.backlog()).rejects.toBe(error);
    await sync.close();
  });

  it('ends both sides with connect-timeout when no candidate can be reached', async () => {
    const blackHole = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(blackHole, 'listening');
    onTestFinished(() => void blackHole.close());
    const unreachable = (text: string): string => {
      const { type, sdp } = decodeSignal(text);
      const candidate = `a=candidate:1 1 udp 2113937151 127.0.0.1 ${blackHole.address().port} typ host`;
      const lines = sdp.split('\r\n').filter((line) => !line.startsWith('a=candidate:'));
      lines.splice(
        lines.findIndex((line) => line.startsWith('a=ice-ufrag:')),
        0,
        candidate,
      );
      return encodeSignal({ type, sdp: lines.join('\r\n') }, 'short');
    };
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const options = { connectTimeoutMs: 1500 };
    const [atAlice, atBob] = [syncOf(alice, options), syncOf(bob, options)];
    const answer = await atBob.accept(unreachable(await atAlice.offer()));
    const knocked = once(blackHole, 'message');
    atAlice.connect(unreachable(answer));
    await knocked;
    for (const sync of [atAlice, atBob]) {
      expect(await ended(sync)).toMatchObject({ name: 'ConnectionError', code: 'connect-timeout' });
      await expect(sync.connected()).rejects.toMatchObject({ code: 'connect-timeout' });
    }
    const [again, other] = await connectLedgers(alice, bob);
    await Promise.all([again.backlog(), other.backlog()]);
  });

  it('rejects what is waited for when the Sync is destroyed or closed before', async () => {
    for (const end of ['destroy', 'close'] as const) {
      const sync = syncOf(await memoryLedger('alice'));
      const waiting = [sync.connected(), sync.synced(), sync.backlog(), sync.offer()].map(outcome);
      await sync[end]();
      for (const error of await Promise.all(waiting)) {
        expect(error).toMatchObject({ name: 'ConnectionError', code: 'closed' });
      }
      expect(sync.status).toEqual({ state: 'closed' });
    }
  });

  it('is a closed Sync when the replica cannot take part', async () => {
    const atAlice = syncOf(new TinyReplica({ id: new Uint8Array(65) }));
    const atBob = syncOf(await memoryLedger('bob'));
    atAlice.connect(await atBob.accept(await atAlice.offer()));
    expect(await ended(atAlice)).toMatchObject({ name: 'ProtocolError', code: 'limit-exceeded' });
    await ended(atBob);
  });
});

describe('a connection that ends in the middle', () => {
  it('is peer-gone for the side whose peer was destroyed; the rest comes next time', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await fill(alice);
    const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
    const part = underWay(atBob);
    await connect(atAlice, atBob);
    const backlog = outcome(atBob.backlog());
    await part;
    atAlice.destroy();
    expect(atAlice.status).toEqual({ state: 'closed' });
    const error = await ended(atBob);
    expect(error).toMatchObject({ name: 'ConnectionError', code: 'peer-gone' });
    expect(await backlog).toBe(error);
    expect(bob.count()).toBeGreaterThan(0);
    expect(bob.count()).toBeLessThan(120);

    const [again] = await connectLedgers(alice, bob);
    await again.synced();
    await expectEqual(alice, bob);
  });

  it('does not wait for the rest of a first sync when the receiving side closes', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await fill(alice);
    const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
    const part = underWay(atBob);
    await connect(atAlice, atBob);
    await part;
    await atBob.close();
    expect(atBob.status).toEqual({ state: 'closed' });
    await ended(atAlice);
    expect(bob.count()).toBeLessThan(120);
    const [again] = await connectLedgers(alice, bob);
    await again.synced();
    await expectEqual(alice, bob);
  });

  it.each(['sending', 'receiving'] as const)(
    'names the closed ledger when the %s one was closed',
    async (side) => {
      const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
      await fill(alice);
      const [atAlice, atBob] = [syncOf(alice), syncOf(bob)];
      const part = underWay(atBob);
      await connect(atAlice, atBob);
      await part;
      const [closed, own, other] =
        side === 'sending' ? [alice, atAlice, atBob] : [bob, atBob, atAlice];
      await closed.close();
      const error = await ended(own);
      expect(error).toBeInstanceOf(ProtocolError);
      expect(error).toMatchObject({ code: 'storage-failed' });
      expect(error?.cause).toBeInstanceOf(LedgerError);
      expect(error?.cause).toMatchObject({ code: 'closed' });
      expect(await ended(other)).toMatchObject({ name: 'ProtocolError', code: 'aborted-by-peer' });
    },
  );

  it("is refused as connected-to-self when the peer is a copy of the ledger's own folder", async () => {
    const folder = temporaryFolder();
    const first = await openLedger('alice', { folder: join(folder, 'here') });
    await first.put({ _id: 'doc' });
    await first.close();
    await cp(join(folder, 'here'), join(folder, 'copy'), { recursive: true });
    const open = async (place: string): Promise<Ledger> => {
      const ledger = await openLedger('alice', { folder: join(folder, place) });
      onTestFinished(() => ledger.close());
      return ledger;
    };
    const [here, copy] = [await open('here'), await open('copy')];
    const [atHere, atCopy] = [syncOf(here), syncOf(copy)];
    atHere.connect(await atCopy.accept(await atHere.offer()));
    const errors = await Promise.all([ended(atHere), ended(atCopy)]);
    expect(errors).toContainEqual(expect.objectContaining({ code: 'connected-to-self' }));
    for (const error of errors) expect(error).toBeInstanceOf(ProtocolError);
  });
});

// --- hostile peers ---

/** A peer that may say anything; what it says after the end of the connection is lost. */
class Attacker {
  readonly #peer = new RawPeer('answering');
  #carBegun = false;
  over = false;

  static async meet(sync: Sync): Promise<Attacker> {
    const attacker = new Attacker();
    const peer = attacker.#peer;
    onTestFinished(() => peer.destroy());
    void peer.closed.then(() => (attacker.over = true));
    sync.connect(await peer.accept(await sync.offer({ format: 'original' })));
    await peer.connected;
    return attacker;
  }

  say(...frames: (Uint8Array | string)[]): void {
    for (const frame of frames) if (!this.over) this.#peer.send(frame);
  }

  hello(): void {
    this.say(encodeMessage(helloOf({ heads: [blockOf(new Uint8Array()).cid], blockCount: 1 })));
  }

  /** The next blocks of one endless CAR. */
  sendBlocks(...blocks: readonly Block[]): void {
    const car = carFrames(blocks, this.#carBegun ? undefined : carHeader([]));
    this.#carBegun = true;
    for (let at = 0; at < car.length; at += 60_000) {
      this.say(encodeMessage({ kind: 'car', bytes: car.subarray(at, at + 60_000) }));
    }
  }
}

interface Attack {
  /** What a ledger with these options is attacked with. */
  readonly options?: { maxParkedBytes?: number };
  readonly sync?: SyncOptions;
  run(attacker: Attacker, ledger: Ledger, random: Random): void | Promise<void>;
  readonly error: object;
  /** The code of the BlockError below. */
  readonly cause?: string;
}

const NOW_MS = Date.now();
const badBlock = { name: 'ProtocolError', code: 'bad-block' };

const attacks: Record<string, Attack> = {
  'a block whose bytes hash to something else': {
    run: (attacker) => {
      const [block, other] = ['a', 'b'].map((id) =>
        commitBlock({ timeMs: NOW_MS, operations: [putOf(id, {})] }),
      );
      attacker.hello();
      attacker.sendBlocks({ cid: block!.cid, bytes: other!.bytes });
    },
    error: badBlock,
    cause: 'hash-mismatch',
  },
  'a block that is no commit': {
    run: (attacker) => {
      attacker.hello();
      attacker.sendBlocks(blockOf(Uint8Array.of(0xa0)));
    },
    error: badBlock,
    cause: 'malformed-commit',
  },
  'a commit that is older than its parent': {
    run: (attacker, ledger) => {
      attacker.hello();
      const operations = [putOf('doc', { n: 666 })];
      attacker.sendBlocks(commitBlock({ parents: ledger.clock, timeMs: 1, operations }));
    },
    error: badBlock,
    cause: 'impossible-time',
  },
  'a commit that has the same parent twice': {
    run: (attacker, ledger) => {
      attacker.hello();
      const parents = [...ledger.clock, ...ledger.clock];
      const operations = [putOf('doc', { n: 666 })];
      attacker.sendBlocks(commitBlock({ parents, timeMs: Date.now() + 1000, operations }));
    },
    error: badBlock,
    cause: 'malformed-commit',
  },
  'a commit that supersedes versions nobody has seen': {
    run: (attacker, ledger) => {
      attacker.hello();
      const unseen = commitBlock({ timeMs: NOW_MS, operations: [putOf('doc', { n: 1 })] });
      const operations = [putOf('doc', { n: 666 }, [unseen.cid])];
      attacker.sendBlocks(
        commitBlock({ parents: ledger.clock, timeMs: Date.now() + 1000, operations }),
      );
    },
    error: badBlock,
    cause: 'impossible-replaces',
  },
  'commits without end whose parents never come': {
    options: { maxParkedBytes: 100_000 },
    run: async (attacker) => {
      attacker.hello();
      for (let i = 0; !attacker.over && i < 150; i++) {
        const unseen = commitBlock({ timeMs: NOW_MS, operations: [putOf(`unseen:${i}`, {})] });
        const operations = [putOf(`doc:${i}`, { text: 'x'.repeat(1000) })];
        attacker.sendBlocks(commitBlock({ parents: [unseen.cid], timeMs: NOW_MS, operations }));
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    error: badBlock,
    cause: 'too-many-parked',
  },
  'a frame beyond what the Sync allows': {
    sync: { maxFrameBytes: 16_384 },
    run: (attacker) => {
      attacker.hello();
      attacker.say(encodeMessage({ kind: 'car', bytes: new Uint8Array(20_000) }));
    },
    error: { name: 'ProtocolError', code: 'frame-too-large' },
  },
  'a frame beyond what WebRTC takes': {
    run: async (attacker) => {
      attacker.hello();
      // Its own WebRTC ends the connection with this frame. In Node that may crash who sends then.
      await new Promise((resolve) => setTimeout(resolve, 100));
      attacker.say(new Uint8Array(262_145));
    },
    error: { name: 'ConnectionError', code: 'peer-gone' },
  },
  text: {
    run: (attacker) => attacker.say('GET / HTTP/1.1'),
    error: { name: 'ProtocolError', code: 'malformed-frame' },
  },
  'text that begins like JSON': {
    run: (attacker) => attacker.say('{"clock":'),
    error: { name: 'ProtocolError', code: 'malformed-frame' },
  },
  'JSON of another shape': {
    run: (attacker) => attacker.say('{"clock":{"length":1e9},"cids":"all"}'),
    error: { name: 'ProtocolError', code: 'malformed-frame' },
  },
  'random bytes': {
    run: (attacker, _ledger, random) => {
      if (random.oneIn(2)) attacker.hello();
      for (let i = 0; i < 20; i++) attacker.say(random.bytes(1 + random.below(2000)));
    },
    error: { name: 'ProtocolError' },
  },
  'a CAR of the original form that is garbage': {
    run: (attacker) => attacker.say('{"clock":[],"cids":[]}', Uint8Array.of(1, 2, 3)),
    error: badBlock,
    cause: 'malformed-car',
  },
  'a CAR of the original form with a block whose bytes hash to something else': {
    run: (attacker, ledger) => {
      const [root] = ledger.clock;
      const block = { cid: root!, bytes: Uint8Array.of(0xa0) };
      attacker.say('{"clock":[],"cids":[]}', carOf([block], [root!]));
    },
    error: badBlock,
    cause: 'hash-mismatch',
  },
};

describe.each(Object.entries(attacks))('a hostile peer that sends %s', (_what, attack) => {
  it('ends its session with a clear error; the ledger is whole and syncs on', async () => {
    await forSeeds(1, async (random) => {
      const [alice, bob] = [await memoryLedger('alice', attack.options), await memoryLedger('bob')];
      for (let i = 0; i < 10; i++) await alice.put({ _id: `doc:${i}`, text: 'x'.repeat(100) });
      const [before, clock] = [await alice.digest(), alice.clock.map(String)];

      const sync = syncOf(alice, attack.sync);
      await attack.run(await Attacker.meet(sync), alice, random);
      const error = await ended(sync);
      expect(error).toMatchObject(attack.error);
      if (attack.cause !== undefined) {
        expect(error?.cause).toBeInstanceOf(BlockError);
        expect(error?.cause).toMatchObject({ code: attack.cause });
      }
      expect(await alice.digest()).toBe(before);
      expect(alice.clock.map(String)).toEqual(clock);

      await alice.put({ _id: 'after' });
      const [atAlice, atBob] = await connectLedgers(alice, bob);
      await Promise.all([atAlice.backlog(), atBob.backlog()]);
      await expectEqual(alice, bob);
      expect(bob.count()).toBe(11);
    });
  });
});
