import type { CID } from 'multiformats/cid';
import { describe, expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import type { Conflict } from '../../src/ledger/history.ts';
import type { Clock, Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { MemoryPlace, type MemoryFiles } from '../../src/storage/memory.ts';
import { blocksOf, deliver, randomHistory, START_MS } from '../support/history.ts';
import { blocksBelow, expectedOf } from '../support/oracle.ts';
import { forSeeds, type Random, setting, withSeed } from '../support/random.ts';
import { texts } from './support.ts';

const HISTORIES = setting('EMBERLINK_HISTORIES', 600);

/** Seeds that failed once. */
const REMEMBERED: readonly number[] = [];

/** The clock of those who only receive: no commit is too early for it. */
const now = (): number => START_MS + 3_600_000;

describe('the same commits', () => {
  test(
    'give the same state in any order, in any groups, any number of times, as a naive reading tells',
    async () => {
      await forSeeds(HISTORIES, checkHistory);
    },
    // A bound on a hang, not on speed.
    60_000 + HISTORIES * 1000,
  );

  test.each(REMEMBERED)('of seed %i still give the same state', async (seed) => {
    await withSeed(seed, checkHistory);
  });

  test(
    'give the same state after restarts on the way, with the saved index and without it',
    async () => {
      await forSeeds(Math.ceil(HISTORIES / 4), async (random) => {
        const { blocks } = await randomHistory(random, 2 + random.below(30));
        const straight = await openLedger('straight', { storage: 'memory', now });
        await straight.replica.receive(blocks);
        const restarted = await deliverWithRestarts(random, blocks);
        expect(await restarted.digest()).toBe(await straight.digest());
        expect(texts(restarted.clock)).toEqual(texts(straight.clock));
        expect(await restarted.allDocs()).toEqual(await straight.allDocs());
        expect(await restarted.verify()).toMatchObject({ corrupt: [], stateMatches: true });
        expect(restarted.recovery.damage).toEqual([]);
        await straight.close();
        await restarted.close();
      });
    },
    60_000 + HISTORIES * 1000,
  );
});

async function checkHistory(random: Random): Promise<void> {
  const { blocks, clocks } = await randomHistory(random, 2 + random.below(40));
  const receivers: Ledger[] = [];
  for (let i = 0; i < 2; i++) {
    const ledger = await openLedger('receiver', { storage: 'memory', now });
    await deliver(random, blocks, ledger);
    receivers.push(ledger);
  }
  const [alice, bob] = receivers as [Ledger, Ledger];
  expect(await alice.digest()).toBe(await bob.digest());
  await expectMeaning(alice, blocks);
  await expectMeaning(bob, blocks);

  const clock = clocks.length > 0 ? random.pick(clocks) : alice.clock;
  const below = blocksBelow(blocks, clock);
  const { documents } = expectedOf(below);
  expect(byId((await alice.at(clock).allDocs()).rows)).toEqual(documents);
  const since = new Set((await bob.changes(clock)).rows.map(({ id }) => id));
  const later = blocks.filter((block) => !below.includes(block));
  expect(since).toEqual(new Set(expectedOf(later).writings.keys()));
  await expectCommits(alice, blocks, later, clock);
  for (const ledger of receivers) await ledger.close();
}

/** The commits that the ledger tells are the blocks; since a clock, those that are later. */
async function expectCommits(
  ledger: Ledger,
  blocks: readonly Block[],
  later: readonly Block[],
  clock: Clock,
): Promise<void> {
  const all = await ledger.commits();
  expect(all.map(({ cid }) => `${cid}`).sort()).toEqual(blocks.map(({ cid }) => `${cid}`).sort());
  const told = new Set<string>();
  for (const { cid, parents } of all) {
    for (const parent of parents) expect(told).toContain(`${parent}`);
    told.add(`${cid}`);
  }
  const since = clock.length === 0 ? all : await ledger.commits({ since: clock });
  const isLater = (cid: CID): boolean => later.some((block) => block.cid.equals(cid));
  expect(since).toEqual(all.filter(({ cid }) => isLater(cid)));
  expect(await ledger.commits({ since: clock, limit: 3 })).toEqual(since.slice(-3));
}

async function expectMeaning(ledger: Ledger, blocks: readonly Block[]): Promise<void> {
  const expected = expectedOf(blocks);
  expect(texts(ledger.clock)).toEqual(expected.clock);
  expect(byId((await ledger.allDocs()).rows)).toEqual(expected.documents);
  expect(ledger.count()).toBe(expected.documents.size);
  for (const [id, conflicts] of expected.conflicts) {
    expect(named(await ledger.conflicts(id))).toEqual(named(conflicts));
    expect(await ledger.history(id)).toHaveLength(expected.writings.get(id)!);
  }
  const conflicted = [...expected.conflicts].filter(([, conflicts]) => conflicts.length > 0);
  const there = conflicted.map(([id]) => id).filter((id) => expected.documents.has(id));
  expect(await ledger.conflicted()).toEqual(there.sort());
  expect(ledger.recovery.rejected).toEqual([]);
  expect(await blocksOf(ledger)).toHaveLength(blocks.length);
}

/** With the commits' names, which are compared a hundred times faster than CID objects. */
function named(conflicts: readonly Conflict[]): object[] {
  return conflicts.map(({ versions, ...conflict }) => ({
    ...conflict,
    versions: versions.map((version) => ({ ...version, commit: version.commit.toString() })),
  }));
}

function byId(rows: readonly { id: string; doc: object }[]): Map<string, object> {
  return new Map(rows.map(({ id, doc }) => [id, doc]));
}

/** Between groups the ledger is closed, or left as if its process had ended there. */
async function deliverWithRestarts(random: Random, blocks: readonly Block[]): Promise<Ledger> {
  const files: MemoryFiles = new Map();
  const open = (): Promise<Ledger> =>
    openLedger('restarted', {
      storage: new MemoryPlace(files),
      now,
      segmentBytes: 500,
      cacheBytes: random.oneIn(2) ? 0 : 10_000,
    });
  let ledger = await open();
  for (const group of random.groups(random.shuffled(blocks), 12)) {
    await ledger.replica.receive(group);
    if (!random.oneIn(3)) continue;
    if (random.oneIn(2)) await ledger.close();
    if (random.oneIn(3)) files.delete('index');
    ledger = await open();
  }
  return ledger;
}
