import { expect } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { NAME_BYTES, namesIn, readCommit } from '../../src/ledger/commit.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { SimulatedLink } from '../simulation/link.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { hexOf } from '../support/hex.ts';
import { blocksOf } from '../support/history.ts';
import { expectedOf } from '../support/oracle.ts';
import type { Random } from '../support/random.ts';

export async function onVirtualTime<T>(run: (clock: VirtualClock) => Promise<T>): Promise<T> {
  const clock = new VirtualClock();
  const uninstall = clock.install();
  try {
    return await run(clock);
  } finally {
    uninstall();
  }
}

export function linkOf(clock: VirtualClock, random: Random): SimulatedLink {
  return new SimulatedLink(clock, random, {
    latencyMs: [random.below(20), random.below(20)],
    bytesPerMs: [10_000, 10_000],
    jitterMs: 0,
    maxFrameBytes: random.pick([1024, 65_536]),
    highWaterMark: 1024 * 1024,
    arrives: () => undefined,
  });
}

/** The ledger holds what it held, and nothing that a naive reading would not take. */
export async function expectSound(ledger: Ledger, before: readonly string[]): Promise<void> {
  const blocks = await blocksOf(ledger);
  const held = new Set(blocks.map(({ cid }) => cid.toString()));
  expect(before.filter((key) => !held.has(key))).toEqual([]);
  expectValid(blocks);
  const expected = expectedOf(blocks);
  expect(ledger.clock.map(String)).toEqual(expected.clock);
  const { rows } = await ledger.allDocs();
  expect(new Map(rows.map(({ id, doc }) => [id, doc as object]))).toEqual(expected.documents);
  expect(await ledger.verify()).toMatchObject({ corrupt: [], stateMatches: true });
}

/** Each commit is later than its parents, and supersedes only what is here. */
function expectValid(blocks: readonly Block[]): void {
  const timeByDigest = new Map<string, number>();
  const names = new Set<string>();
  for (const { cid, bytes } of blocks) {
    const { time, parents, operations } = readCommit(bytes);
    for (const parent of parents) expect(time).toBeGreaterThan(timeByDigest.get(hexOf(parent))!);
    for (const name of operations.flatMap(({ replaces }) => namesIn(replaces))) {
      expect(names).toContain(hexOf(name));
    }
    timeByDigest.set(hexOf(cid.multihash.digest), time);
    names.add(hexOf(cid.multihash.digest.subarray(0, NAME_BYTES)));
  }
}
