import { describe, expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { readCommit } from '../../src/ledger/commit.ts';
import { timeInMs } from '../../src/ledger/clock.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { blocksOf, randomWrite, START_MS } from '../support/history.ts';
import { expectedOf } from '../support/oracle.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { exchange, memoryLedger, texts } from './support.ts';

const RUNS = setting('EMBERLINK_PAST_RUNS', 4);

describe('clockAt', () => {
  test('is the clock of then, which shows the documents of then', async () => {
    let nowMs = START_MS;
    const alice = await memoryLedger('alice', { now: () => nowMs });
    const clocks = [alice.clock];
    for (let n = 0; n < 3; n++) {
      nowMs = START_MS + n * 1000;
      await alice.put({ _id: 'doc', n: -1 });
      clocks.push((await alice.put({ _id: 'doc', n })).clock);
    }
    const at = async (ms: number): Promise<string[]> => texts(await alice.clockAt(START_MS + ms));
    expect(await at(-1)).toEqual([]);
    expect(await at(0)).toEqual(texts(clocks[1]!));
    expect(await at(999.9)).toEqual(texts(clocks[1]!));
    expect(await at(1000)).toEqual(texts(clocks[2]!));
    expect(await at(Infinity)).toEqual(texts(alice.clock));
    expect(await at(-Infinity)).toEqual([]);
    const then = alice.at(await alice.clockAt(START_MS + 1500));
    expect(await then.get('doc')).toEqual({ _id: 'doc', n: 1 });
    await expect(alice.clockAt(NaN)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  test('has a head of each writer where none had seen the other', async () => {
    const alice = await memoryLedger('alice', { now: () => START_MS });
    let bobMs = START_MS + 1000;
    const bob = await memoryLedger('bob', { now: () => bobMs });
    await alice.put({ _id: 'a' });
    await bob.put({ _id: 'b' });
    const ofAlice = alice.clock;
    const both = texts([...alice.clock, ...bob.clock]).sort();
    await exchange(alice, bob);
    bobMs += 1000;
    await bob.put({ _id: 'c' });
    await exchange(alice, bob);
    for (const ledger of [alice, bob]) {
      expect(texts(await ledger.clockAt(START_MS))).toEqual(texts(ofAlice));
      const clock = await ledger.clockAt(START_MS + 1000);
      expect(texts(clock).sort()).toEqual(both);
      const { rows } = await ledger.at(clock).allDocs();
      expect(rows.map(({ id }) => id)).toEqual(['a', 'b']);
    }
  });

  test('reaches back as far as the commits do', async () => {
    let nowMs = START_MS;
    const alice = await memoryLedger('alice', { now: () => nowMs, recentBytes: 0 });
    for (let n = 0; n < 5; n++) {
      await alice.put({ _id: 'doc', n });
      nowMs += 1000;
    }
    await alice.compact();
    const refusal = { name: 'LedgerError', code: 'unknown-clock' };
    await expect(alice.clockAt(START_MS + 3999)).rejects.toMatchObject(refusal);
    await expect(alice.clockAt(0)).rejects.toMatchObject(refusal);
    const compacted = await alice.clockAt(START_MS + 4000);
    expect(texts(compacted)).toEqual(texts(alice.clock));
    await alice.patch({ _id: 'doc', n: 5 });
    expect(await alice.at(compacted).get('doc')).toEqual({ _id: 'doc', n: 4 });
    expect(texts(await alice.clockAt(nowMs))).toEqual(texts(alice.clock));
  });
});

describe('the past', () => {
  test(
    'is what the commits until then add up to, in whatever order its moments are looked at',
    async () => {
      await forSeeds(RUNS, async (random) => {
        const blocks = await longHistory(random);
        const alice = await memoryLedger('alice', { now: () => START_MS + 3_600_000 });
        await alice.replica.receive(random.shuffled(blocks));
        for (let look = 0; look < 25; look++) {
          await expectMoment(alice, blocks, timeOf(random.pick(blocks)));
        }
      });
    },
    60_000 + RUNS * 20_000,
  );

  test(
    'is the same for one who came later and got a snapshot, or is not there',
    async () => {
      await forSeeds(RUNS, async (random) => {
        const blocks = await longHistory(random);
        const times = blocks.map(timeOf).sort((a, b) => a - b);
        const cut = times[Math.floor(times.length / 2)]!;
        const now = (): number => START_MS + 3_600_000;
        const first = await memoryLedger('first', { now });
        await first.replica.receive(blocks.filter((block) => timeOf(block) <= cut));
        const late = await memoryLedger('late', { now });
        const origin = {};
        for await (const block of first.replica.history.snapshot()) {
          await late.replica.receive([block], origin);
        }
        const moment = async (time: number): Promise<void> => {
          if (time >= cut) return expectMoment(late, blocks, time);
          await expect(late.clockAt(time)).rejects.toMatchObject({ code: 'unknown-clock' });
        };
        const then = await late.clockAt(cut);
        await expectDocuments(late, then, expectedOf(await blocksOf(first)).documents);
        const others = random.shuffled(blocks.filter((block) => timeOf(block) > cut));
        for (const group of random.groups(others, 100)) await late.replica.receive(group);
        for (let look = 0; look < 20; look++) await moment(random.pick(times));
        await moment(cut);
      });
    },
    60_000 + RUNS * 20_000,
  );
});

async function expectMoment(
  ledger: Ledger,
  blocks: readonly Block[],
  timeMs: number,
): Promise<void> {
  const expected = expectedOf(blocks.filter((block) => timeOf(block) <= timeMs));
  const clock = await ledger.clockAt(timeMs);
  expect(texts(clock)).toEqual(expected.clock);
  await expectDocuments(ledger, clock, expected.documents);
}

async function expectDocuments(
  ledger: Ledger,
  clock: Ledger['clock'],
  documents: ReadonlyMap<string, object>,
): Promise<void> {
  const { rows } = await ledger.at(clock).allDocs();
  expect(new Map(rows.map(({ id, doc }) => [id, doc]))).toEqual(documents);
}

function timeOf({ bytes }: Block): number {
  return timeInMs(readCommit(bytes).time);
}

/** Some hundred commits of two writers, who meet now and then. */
async function longHistory(random: Random): Promise<Block[]> {
  let nowMs = START_MS;
  const alice = await memoryLedger('alice', { now: () => nowMs });
  const bob = await memoryLedger('bob', { now: () => nowMs });
  for (let step = 0; step < 300; step++) {
    nowMs += random.below(50);
    await randomWrite(random, random.pick([alice, bob]));
    if (random.oneIn(20)) await exchange(alice, bob);
  }
  await exchange(alice, bob);
  return blocksOf(alice);
}
