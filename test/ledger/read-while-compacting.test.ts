import { expect, test } from 'vitest';
import { LedgerError } from '../../src/errors.ts';
import type { Clock } from '../../src/ledger/ledger.ts';
import type { LocalLedger } from '../../src/ledger/local-ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { Place } from '../../src/storage/place.ts';
import { MemoryPlace } from '../../src/storage/memory.ts';
import { memoryLedger } from './support.ts';

/** The read begins up to so many promises after compacting, in steps. */
const MOST_PROMISES = 400;
const STEP_PROMISES = 7;

/** A place whose reads take their time, as those of a disk. */
function slowPlace(): Place {
  const place: Place = new MemoryPlace();
  const read = place.read.bind(place);
  place.read = async (...args) => {
    await promises(3);
    return read(...args);
  };
  return place;
}

interface Past {
  readonly clock: Clock;
  readonly timeMs: number;
}

type Read = (ledger: LocalLedger, past: Past) => Promise<unknown>;

/** Every reading of more than one block, of what is there whether old commits are dropped or not. */
const PRESENT: [name: string, read: Read][] = [
  ['allDocs', (ledger) => ledger.allDocs()],
  ['get', (ledger) => ledger.get('doc:1')],
  ['query', (ledger) => ledger.query('n', { includeDocs: true })],
  ['conflicts', (ledger) => ledger.conflicts('doc:1')],
  ['conflicted', (ledger) => ledger.conflicted()],
  ['changes', (ledger) => ledger.changes()],
  ['digest', async (ledger) => (await ledger.digest()) === (await ledger.digest())],
];

/** And of what may have been dropped. */
const PAST: [name: string, read: Read][] = [
  ['history', async (ledger) => (await ledger.history('doc:1')).length > 0],
  ['commits', async (ledger) => Array.isArray(await ledger.commits())],
  ['commits since', (ledger, { clock }) => ledger.commits({ since: clock })],
  ['changes since', (ledger, { clock }) => ledger.changes(clock)],
  ['at', (ledger, { clock }) => ledger.at(clock).allDocs()],
  [
    'the clock of a time',
    async (ledger, { clock, timeMs }) => String(await ledger.clockAt(timeMs)) === String(clock),
  ],
];

async function written(): Promise<{ ledger: LocalLedger; past: Past }> {
  let nowMs = Date.UTC(2026, 0, 1);
  const storage = slowPlace();
  const options = { storage, recentBytes: 0, cacheBytes: 0, segmentBytes: 500, now: () => nowMs };
  const ledger = (await openLedger('alice', options)) as LocalLedger;
  for (let n = 0; n < 20; n++) {
    nowMs += 1000;
    await ledger.put({ _id: `doc:${n % 4}`, n, [`field ${n % 3}`]: n });
  }
  const past = { clock: ledger.clock, timeMs: nowMs };
  nowMs += 1000;
  for (let n = 0; n < 4; n++) await ledger.patch({ _id: `doc:${n}`, last: n });
  return { ledger, past };
}

test.each([...PRESENT, ...PAST])('%s tells the same while the ledger compacts', async (_, read) => {
  const alone = await written();
  const expected = plain(await read(alone.ledger, alone.past));
  for (let count = 0; count < MOST_PROMISES; count += STEP_PROMISES) {
    const { ledger, past } = await written();
    const compacting = ledger.compact();
    await promises(count);
    const found = await read(ledger, past).then(plain, (error: unknown) => {
      const isDropped = error instanceof LedgerError && error.code === 'unknown-clock';
      if (PRESENT.some(([, each]) => each === read) || !isDropped) throw error;
      return expected;
    });
    expect([count, found]).toEqual([count, expected]);
    expect((await compacting).dropped).toBeGreaterThan(0);
    await ledger.close();
  }
});

test('a view of the past that was opened before says that it is gone', async () => {
  const { ledger, past } = await written();
  const view = ledger.at(past.clock);
  expect((await view.allDocs()).rows).toHaveLength(4);
  await ledger.compact();
  await expect(view.allDocs()).rejects.toMatchObject({ code: 'unknown-clock' });
});

test('what is exported stays until it is read to its end', async () => {
  const { ledger } = await written();
  const chunks: Uint8Array[] = [];
  for await (const chunk of ledger.export()) {
    chunks.push(chunk);
    expect(await ledger.compact()).toMatchObject({ dropped: 0 });
  }
  expect((await ledger.compact()).dropped).toBeGreaterThan(0);
  const copy = await memoryLedger('bob');
  await copy.import(chunks);
  expect(await copy.digest()).toBe(await ledger.digest());
});

async function promises(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** Without what tells one ledger from another that holds the same. */
function plain(value: unknown): unknown {
  const drop = new Set(['clock', 'commit', 'cid', 'parents', 'writer']);
  return JSON.parse(
    JSON.stringify(value, (key, part) => (drop.has(key) ? undefined : part)) ?? '0',
  );
}
