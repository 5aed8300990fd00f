import { describe, expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { LedgerError } from '../../src/errors.ts';
import { timeInMs } from '../../src/ledger/clock.ts';
import { readCommit } from '../../src/ledger/commit.ts';
import type { Clock, Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { MemoryPlace, type MemoryFiles } from '../../src/storage/memory.ts';
import { blocksOf, randomWrite, START_MS } from '../support/history.ts';
import { expectedOf } from '../support/oracle.ts';
import { forSeeds, type Random, setting, withSeed } from '../support/random.ts';
import { memoryLedger, texts } from './support.ts';

const HISTORIES = setting('EMBERLINK_PRUNED_HISTORIES', 200);

/** Seeds that failed once. */
const REMEMBERED: readonly number[] = [461074412];

const later = (): number => START_MS + 3_600_000;

describe('ledgers whose past was dropped', () => {
  test(
    'converge with all others on what all commits together mean',
    async () => {
      await forSeeds(HISTORIES, checkPruned);
    },
    // A bound on a hang, not on speed.
    60_000 + HISTORIES * 1000,
  );

  test.each(REMEMBERED)('of seed %i still converge', async (seed) => {
    await withSeed(seed, checkPruned);
  });
});

test('a snapshot that is taken while commits come has all that it says it has', async () => {
  for (let ticks = 0; ticks < 40; ticks++) {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'a', from: 'alice' });
    await bob.replica.receive(await blocksOf(alice));
    await bob.put({ _id: 'a', from: 'bob' });
    await alice.put({ _id: 'b' });
    const receiving = alice.replica.receive(await blocksOf(bob));
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    const snapshot: Block[] = [];
    for await (const block of alice.replica.history!.snapshot()) snapshot.push(block);
    await receiving;
    await bob.replica.receive(snapshot);
    expect([ticks, await bob.get('a')]).toEqual([ticks, { _id: 'a', from: 'bob' }]);
  }
});

/** A ledger that can be closed and opened again, and whose own commits the test remembers. */
class Peer {
  ledger!: Ledger;
  readonly written: Block[];
  readonly #files: MemoryFiles = new Map();
  readonly #options: LedgerOptions;

  constructor(options: LedgerOptions, written: Block[]) {
    this.#options = options;
    this.written = written;
  }

  async open(): Promise<void> {
    const place = new MemoryPlace(this.#files);
    this.ledger = await openLedger('peer', { ...this.#options, storage: place });
    const { replica } = this.ledger;
    replica.watch((cids, origin) => {
      if (origin !== undefined) return;
      for (const cid of cids)
        this.written.push({ cid, bytes: replica.getBlock(cid) as Uint8Array });
    });
  }

  async restart(random: Random): Promise<void> {
    if (random.oneIn(2)) await this.ledger.close();
    if (random.oneIn(3)) this.#files.delete('index');
    await this.open();
  }
}

async function checkPruned(random: Random): Promise<void> {
  let nowMs = START_MS;
  const written: Block[] = [];
  const peers: Peer[] = [];
  const count = 2 + random.below(4);
  for (let i = 0; i < count; i++) {
    const aheadMs = random.oneIn(2) ? 0 : random.below(4000) - 2000;
    const options: LedgerOptions = {
      now: () => nowMs + aheadMs,
      recentBytes: random.oneIn(2) ? 0 : random.below(3000),
      history: random.oneIn(4) ? 'full' : 'recent',
      segmentBytes: random.oneIn(2) ? 500 : 1_000_000,
      cacheBytes: random.oneIn(2) ? 0 : 10_000,
    };
    const peer = new Peer(options, written);
    await peer.open();
    peers.push(peer);
  }
  const steps = 4 + random.below(60);
  for (let step = 0; step < steps; step++) {
    if (random.oneIn(4)) nowMs += random.below(1500);
    const peer = random.pick(peers);
    switch (random.below(8)) {
      case 0:
        await peer.ledger.compact();
        break;
      case 1:
        await peer.restart(random);
        break;
      case 2:
      case 3:
        await give(random, random.pick(peers).ledger, peer.ledger);
        break;
      default:
        await randomWrite(random, peer.ledger);
    }
  }
  nowMs += 10_000;
  const ledgers = peers.map((peer) => peer.ledger);
  for (let round = 0; round < 2; round++) {
    for (const from of ledgers) for (const to of ledgers) await give(undefined, from, to);
  }
  const expected = expectedOf(written);
  const straight = await openLedger('straight', { storage: 'memory', now: later });
  await straight.replica.receive(written);
  for (const peer of peers) {
    const { ledger } = peer;
    expect(texts(ledger.clock)).toEqual(expected.clock);
    const { rows } = await ledger.allDocs();
    expect(new Map(rows.map(({ id, doc }) => [id, doc]))).toEqual(expected.documents);
    for (const id of expected.conflicts.keys()) {
      const [conflicts, whole] = [await ledger.conflicts(id), await straight.conflicts(id)];
      expect(JSON.stringify(conflicts)).toBe(JSON.stringify(whole));
    }
    expect(await ledger.digest()).toBe(await straight.digest());
    expect(await rootOf(ledger)).toBe(await rootOf(straight));
    expect(await ledger.verify()).toMatchObject({ corrupt: [], stateMatches: true });
    await expectPast(ledger, written, nowMs);
    await expectPast(ledger, written, START_MS + random.below(nowMs - START_MS));
    await peer.restart(random);
    expect(await peer.ledger.digest()).toBe(await straight.digest());
    expect(texts(peer.ledger.clock)).toEqual(expected.clock);
    expect(peer.ledger.recovery).toEqual({ damage: [], missing: [], unreadable: [], rejected: [] });
    await peer.ledger.close();
  }
  await straight.close();
}

/** The documents of then are right, where it is not said that they were dropped. */
async function expectPast(ledger: Ledger, written: readonly Block[], ms: number): Promise<void> {
  const expected = expectedOf(
    written.filter(({ bytes }) => timeInMs(readCommit(bytes).time) <= ms),
  );
  const clock = await ledger.clockAt(ms).catch((error: unknown) => error);
  if (clock instanceof LedgerError) {
    expect([clock.code, ledger.replica.history.isPruned]).toEqual(['unknown-clock', true]);
    expect(expected.clock).not.toEqual(texts(ledger.clock));
    return;
  }
  expect(texts(clock as Clock)).toEqual(expected.clock);
  const { rows } = await ledger.at(clock as Clock).allDocs();
  expect(new Map(rows.map(({ id, doc }) => [id, doc]))).toEqual(expected.documents);
}

/** What `to` lacks of `from`, as commits or as a snapshot: not always all of it when `random` is given. */
async function give(random: Random | undefined, from: Ledger, to: Ledger): Promise<void> {
  if (from === to) return;
  const origin = {};
  const { history } = from.replica;
  const cids = await history.blocksBeyond(await to.replica.history.context());
  const blocks: Block[] = [];
  if (cids === undefined || (random !== undefined && random.oneIn(6))) {
    for await (const block of history.snapshot()) blocks.push(block);
  } else {
    for (const cid of cids) blocks.push({ cid, bytes: (await from.replica.getBlock(cid))! });
  }
  if (random !== undefined && random.oneIn(3)) {
    const some = random.oneIn(2) ? blocks : blocks.slice(0, random.below(blocks.length + 1));
    for (const group of random.groups(some, 5)) await to.replica.receive(group, origin);
  } else {
    await to.replica.receive(blocks, origin);
  }
}

async function rootOf(ledger: Ledger): Promise<string> {
  let root = '';
  for await (const { cid } of ledger.replica.history.snapshot()) root = cid.toString();
  return root;
}

describe('compact', () => {
  test('leaves the documents and the clock, and much less on the disk', async () => {
    const alice = await memoryLedger('alice', { recentBytes: 2000 });
    for (let n = 0; n < 300; n++) await alice.put({ _id: `doc:${n % 3}`, n, text: 'x'.repeat(50) });
    const [clock, digest] = [texts(alice.clock), await alice.digest()];
    const report = await alice.compact();
    expect(report.dropped).toBeGreaterThan(280);
    expect(report.bytesAfter).toBeLessThan(report.bytesBefore / 10);
    expect(texts(alice.clock)).toEqual(clock);
    expect(await alice.digest()).toBe(digest);
    expect(await alice.get('doc:2')).toEqual({ _id: 'doc:2', n: 299, text: 'x'.repeat(50) });
    await alice.put({ _id: 'doc:2', n: 300 });
    expect(await alice.get('doc:2')).toEqual({ _id: 'doc:2', n: 300 });
    expect(await alice.verify()).toMatchObject({ corrupt: [], stateMatches: true });
    // What it tells peers of its blocks is of those that it still has.
    expect((await alice.replica.sketch()).size).toBe(alice.replica.blockCount);
    const dropped = alice.replica.history.commitCount - alice.replica.blockCount;
    expect(dropped).toBeGreaterThan(280);
  });

  test('drops nothing of a ledger that keeps its history', async () => {
    const alice = await memoryLedger('alice', { history: 'full', recentBytes: 0 });
    for (let n = 0; n < 50; n++) await alice.put({ _id: 'doc', n });
    expect(await alice.compact()).toMatchObject({ dropped: 0 });
    expect(await alice.history('doc')).toHaveLength(50);
  });

  test('tells of the dropped part of a history what survives of it', async () => {
    const alice = await memoryLedger('alice', { recentBytes: 0 });
    const { clock: before } = await alice.put({ _id: 'doc', a: 1, b: 1 });
    await alice.put({ _id: 'doc', a: 2, b: 1 });
    const { clock } = alice;
    await alice.compact();
    await alice.put({ _id: 'doc', a: 2, b: 2 });
    const history = await alice.history('doc');
    expect(history.map(({ set }) => set)).toEqual([{ a: 2 }, { b: 2 }]);
    expect(await alice.at(clock).get('doc')).toEqual({ _id: 'doc', a: 2, b: 1 });
    const look = async (): Promise<unknown> => alice.at(before).get('doc');
    await expect(look()).rejects.toMatchObject({ code: 'unknown-clock' });
    await expect(alice.changes(clock)).resolves.toMatchObject({ rows: [{ id: 'doc' }] });
  });
});

describe('a snapshot', () => {
  test('is where another ledger begins, with the same documents and the same clock', async () => {
    const alice = await memoryLedger('alice');
    for (let n = 0; n < 500; n++) await alice.put({ _id: `doc:${n}`, n });
    await alice.del('doc:7');
    const chunks: Uint8Array[] = [];
    for await (const chunk of alice.snapshot()) chunks.push(chunk);
    const bob = await memoryLedger('bob', { snapshot: Buffer.concat(chunks) });
    expect(await bob.digest()).toBe(await alice.digest());
    expect(texts(bob.clock)).toEqual(texts(alice.clock));
    expect(await bob.get('doc:499')).toEqual({ _id: 'doc:499', n: 499 });
    await bob.put({ _id: 'doc:500', n: 500 });
    await alice.replica.receive(await blocksOf(bob));
    expect(await alice.get('doc:500')).toEqual({ _id: 'doc:500', n: 500 });
  });

  test('is taken no notice of by a ledger that holds something, be it only a snapshot', async () => {
    const alice = await memoryLedger('alice');
    await alice.put({ _id: 'doc', n: 1 });
    const chunks: Uint8Array[] = [];
    for await (const chunk of alice.snapshot()) chunks.push(chunk);
    const files: MemoryFiles = new Map();
    const open = (snapshot: Uint8Array | string): Promise<Ledger> =>
      openLedger('bob', { storage: new MemoryPlace(files), snapshot });
    const bob = await open(Buffer.concat(chunks));
    await bob.close();
    // Nobody is there to be asked for it.
    const again = await open('http://127.0.0.1:1/snapshot.car');
    expect(await again.get('doc')).toEqual({ _id: 'doc', n: 1 });
    await again.close();
  });

  test('has the same pages as the one before, but for those that changed', async () => {
    const alice = await memoryLedger('alice');
    await alice.bulk(
      Array.from({ length: 5000 }, (_, n) => ({ _id: `doc:${n}`, text: 'x'.repeat(180) })),
    );
    const before = await pagesOf(alice);
    await alice.put({ _id: 'doc:1234', text: 'changed' });
    await alice.put({ _id: 'doc:1234:5', text: 'new' });
    const after = await pagesOf(alice);
    expect(after.size).toBeGreaterThan(10);
    const fresh = [...after].filter((page) => !before.has(page));
    expect(fresh.length).toBeLessThanOrEqual(3);
  });

  test('that is not whole changes nothing', async () => {
    const alice = await memoryLedger('alice');
    for (let n = 0; n < 20; n++) await alice.put({ _id: `doc:${n}`, n });
    const blocks: Block[] = [];
    for await (const block of alice.replica.history.snapshot()) blocks.push(block);
    const bob = await memoryLedger('bob');
    await bob.put({ _id: 'mine' });
    const digest = await bob.digest();
    await expect(bob.replica.receive(blocks.slice(-1))).rejects.toMatchObject({
      code: 'malformed-snapshot',
    });
    expect(await bob.digest()).toBe(digest);
    await bob.replica.receive(blocks);
    expect(bob.count()).toBe(21);
  });
});

async function pagesOf(ledger: Ledger): Promise<Set<string>> {
  const pages = new Set<string>();
  for await (const { cid } of ledger.replica.history.snapshot()) pages.add(cid.toString());
  return pages;
}

test('a log that has outgrown its documents is compacted by itself, when there is nothing to do', async () => {
  const alice = await memoryLedger('alice', { recentBytes: 100_000 });
  const text = 'x'.repeat(500_000);
  for (let n = 0; n < 40; n++) await alice.put({ _id: `doc:${n % 4}`, n, text: text + n });
  const [digest, blocks] = [await alice.digest(), alice.replica.blockCount];
  await expect.poll(() => alice.replica.blockCount, { timeout: 20_000 }).toBeLessThan(blocks);
  expect(await alice.digest()).toBe(digest);
  expect(await alice.get('doc:3')).toMatchObject({ n: 39 });
});
