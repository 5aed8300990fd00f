import { expect, onTestFinished, test, vi } from 'vitest';
import { LedgerError } from '../../src/errors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { MemoryPlace, type MemoryFiles } from '../../src/storage/memory.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { commitBlock, putOf } from './commits.ts';
import { memoryLedger } from './support.ts';

/** What the ledger's code that is loaded when it is needed has to come through. */
const network = vi.hoisted(() => ({
  isDown: false,
  /** The first part alone, of which the archive makes use, cannot be had. */
  lacksLater: false,
  /** Until then what was asked for is on its way. */
  arrival: Promise.resolve(),
}));

vi.mock(import('../../src/ledger/load-later.ts'), async (original) => {
  const { loadArchive, loadLater, ...rest } = await original();
  const through =
    <Part>(load: () => Promise<Part>) =>
    async (): Promise<Part> => {
      await network.arrival;
      if (network.isDown || (network.lacksLater && load === loadLater))
        throw new LedgerError('not-loaded', 'Failed to fetch');
      return load();
    };
  return { ...rest, loadArchive: through(loadArchive), loadLater: through(loadLater) };
});

/** Nothing more is loaded, until the function that is returned is called or the test is over. */
function goOffline(): () => void {
  const goOnline = (): void => {
    network.isDown = false;
  };
  network.isDown = true;
  onTestFinished(goOnline);
  return goOnline;
}

/** What is loaded arrives when the function that is returned is called. */
function slowDown(): () => void {
  let arrive = (): void => {};
  network.arrival = new Promise((resolve) => {
    arrive = resolve;
  });
  onTestFinished(() => arrive());
  return () => arrive();
}

const NOT_LOADED = { name: 'LedgerError', code: 'not-loaded' };

async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

async function ledgerOf(documents: number): Promise<Ledger> {
  const ledger = await memoryLedger('bob', { now: () => START_MS });
  for (let n = 0; n < documents; n++) await ledger.put({ _id: `of bob ${n}`, n });
  return ledger;
}

test('a page that can load no more opens, writes and reads its ledger, and closes it', async () => {
  goOffline();
  const files: MemoryFiles = new Map();
  const open = (): Promise<Ledger> => openLedger('alice', { storage: new MemoryPlace(files) });
  const alice = await open();
  const { clock } = await alice.put({ _id: 'a', n: 1 });
  await alice.bulk([{ _id: 'b', n: 2 }, { _id: 'c' }]);
  await alice.patch({ _id: 'a', text: 'more' });
  await alice.del('c');
  await alice.close();

  const again = await open();
  expect(await again.get('a')).toEqual({ _id: 'a', n: 1, text: 'more' });
  expect((await again.allDocs()).rows).toHaveLength(2);
  expect((await again.query('n', { descending: true })).rows.map(({ id }) => id)).toEqual([
    'b',
    'a',
  ]);
  expect((await again.changes(clock)).rows.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  expect(again.usage().documents).toBe(2);
  await again.close();
});

test('what needs more says that it was not loaded, and works once it can be', async () => {
  const bob = await ledgerOf(3);
  const blocks = await blocksOf(bob);
  const car = await collected(bob.export());
  const alice = await memoryLedger('alice', { now: () => START_MS });
  const { clock } = await alice.put({ _id: 'a', n: 1 });
  const goOnline = goOffline();
  const calls: readonly (() => Promise<unknown>)[] = [
    () => alice.history('a'),
    () => alice.conflicts('a'),
    () => alice.conflicted(),
    () => alice.commits(),
    () => alice.clockAt(START_MS),
    () => alice.at(clock).get('a'),
    () => alice.digest(),
    () => alice.verify(),
    () => alice.compact(),
    () => collected(alice.export()),
    () => collected(alice.snapshot()),
    () => alice.import(car),
    () => alice.replica.sketch(),
    () => alice.replica.receive(blocks),
  ];
  for (const call of calls) await expect(call(), String(call)).rejects.toMatchObject(NOT_LOADED);
  await alice.put({ _id: 'a', n: 2 });

  goOnline();
  for (const call of calls) await call();
  expect(await alice.history('a')).toHaveLength(2);
  expect(await alice.get('of bob 2')).toEqual({ _id: 'of bob 2', n: 2 });
  expect((await alice.verify()).stateMatches).toBe(true);
});

test('a ledger that begins with a snapshot begins with it when it can be loaded', async () => {
  const car = Buffer.concat(await collected((await ledgerOf(5)).snapshot()));
  const files: MemoryFiles = new Map();
  const options = { storage: new MemoryPlace(files), snapshot: new Uint8Array(car) };
  const goOnline = goOffline();
  await expect(openLedger('alice', options)).rejects.toMatchObject(NOT_LOADED);
  goOnline();
  const alice = await memoryLedger('alice', { ...options, storage: new MemoryPlace(files) });
  expect(alice.count()).toBe(5);
});

test('a ledger that was sent a snapshot needs nothing more to be opened after a quiet moment', async () => {
  const car = await collected((await ledgerOf(5)).snapshot());
  const files: MemoryFiles = new Map();
  const alice = await openLedger('alice', { storage: new MemoryPlace(files) });
  await alice.import(car);
  await alice.put({ _id: 'a' });
  // As a page does that is closed: nobody closes its ledger.
  const closed = new Map(files);
  goOffline();
  await expect(
    openLedger('alice', { storage: new MemoryPlace(closed) }),
    'the snapshot was not merged into an index yet',
  ).rejects.toMatchObject(NOT_LOADED);
  await expect.poll(() => [...files.keys()]).toContain('index');
  const next = await memoryLedger('alice', { storage: new MemoryPlace(new Map(files)) });
  expect(next.count()).toBe(6);
  await alice.close();
});

test('what was parked stays so while nothing can be loaded, and is not lost', async () => {
  const files: MemoryFiles = new Map();
  const options = { now: () => START_MS };
  const parent = commitBlock({ timeMs: START_MS, operations: [putOf('parent', {})] });
  const child = commitBlock({
    parents: [parent.cid],
    timeMs: START_MS + 1,
    operations: [putOf('child', {})],
  });
  const before = await openLedger('alice', { ...options, storage: new MemoryPlace(files) });
  await before.replica.receive([child]);
  await before.close();

  const goOnline = goOffline();
  const alice = await memoryLedger('alice', { ...options, storage: new MemoryPlace(files) });
  await alice.put({ _id: 'a' });
  await expect(alice.replica.receive([parent])).rejects.toMatchObject(NOT_LOADED);
  goOnline();
  await alice.replica.receive([parent]);
  expect(await alice.get('child')).toEqual({ _id: 'child' });
});

test('a log is compacted later when what does it cannot be loaded, and writes go on', async () => {
  const goOnline = goOffline();
  const alice = await memoryLedger('alice', { recentBytes: 100_000 });
  const text = 'x'.repeat(500_000);
  for (let n = 0; n < 40; n++) await alice.put({ _id: `doc:${n % 4}`, n, text: text + n });
  const blocks = alice.replica.blockCount;
  // Long enough for one attempt.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await alice.put({ _id: 'another' });
  expect(alice.replica.blockCount).toBe(blocks + 1);
  goOnline();
  await alice.put({ _id: 'one more' });
  await expect.poll(() => alice.replica.blockCount, { timeout: 20_000 }).toBeLessThan(blocks);
  expect(await alice.get('doc:3')).toMatchObject({ n: 39 });
});

test('nothing is compacted or checked with one part of the code and without the other', async () => {
  const car = await collected((await ledgerOf(5)).snapshot());
  const files: MemoryFiles = new Map();
  const options = { recentBytes: 0 };
  const before = await openLedger('alice', { ...options, storage: new MemoryPlace(files) });
  await before.import(car);
  for (let n = 0; n < 20; n++) await before.put({ _id: 'a', n });
  // With an index of it, by which the next opening needs no code for the snapshot.
  await before.close();

  network.lacksLater = true;
  onTestFinished(() => {
    network.lacksLater = false;
  });
  const alice = await memoryLedger('alice', { ...options, storage: new MemoryPlace(files) });
  const { storedBytes } = alice.usage();
  await expect(alice.verify()).rejects.toMatchObject(NOT_LOADED);
  await expect(alice.compact()).rejects.toMatchObject(NOT_LOADED);
  expect(alice.usage().storedBytes).toBe(storedBytes);

  network.lacksLater = false;
  expect(await alice.verify()).toMatchObject({ corrupt: [], stateMatches: true });
  expect((await alice.compact()).dropped).toBeGreaterThan(0);
  expect(await alice.get('a')).toEqual({ _id: 'a', n: 19 });
});

test('what was called before a ledger is closed is done, also when its code comes late', async () => {
  const bob = await ledgerOf(3);
  const blocks = await blocksOf(bob);
  const files: MemoryFiles = new Map();
  const alice = await openLedger('alice', { storage: new MemoryPlace(files) });
  for (let n = 0; n < 10; n++) await alice.put({ _id: 'a', n });
  const arrive = slowDown();
  const receiving = alice.replica.receive(blocks);
  const compacting = alice.compact();
  let isClosed = false;
  const closing = alice.close().then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isClosed).toBe(false);
  arrive();
  await receiving;
  expect((await compacting).bytesBefore).toBeGreaterThan(0);
  await closing;
  const again = await memoryLedger('alice', { storage: new MemoryPlace(files) });
  expect(await again.get('of bob 2')).toEqual({ _id: 'of bob 2', n: 2 });
});

test('writes do not wait for what is on its way', async () => {
  const blocks = await blocksOf(await ledgerOf(1));
  const alice = await memoryLedger('alice');
  const arrive = slowDown();
  const receiving = alice.replica.receive(blocks);
  await alice.put({ _id: 'a' });
  expect(await alice.get('a')).toEqual({ _id: 'a' });
  expect(alice.replica.blockCount).toBe(1);
  arrive();
  await receiving;
  expect(alice.replica.blockCount).toBe(2);
});
