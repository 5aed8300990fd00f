import type { CID } from 'multiformats/cid';
import { expect, test } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import { StorageError } from '../../src/errors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { MemoryPlace, type MemoryFiles } from '../../src/storage/memory.ts';
import { commitBlock, putOf } from '../ledger/commits.ts';
import { texts } from '../ledger/support.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { mutated } from './mutate.ts';

const FUZZ_RUNS = setting('EMBERLINK_FUZZ_RUNS', 300);

test(
  'a folder whose files were changed opens, holds nothing that was never written, and heals',
  async () => {
    await forSeeds(FUZZ_RUNS, async (random) => {
      const files: MemoryFiles = new Map();
      const written = await writeLedger(files, random);
      const changed = changeFiles(files, random);

      const ledger = await open(files);
      await readAll(ledger);
      const known = new Set(written.blocks.map(({ cid }) => cid.toString()));
      for await (const cid of ledger.replica.cids()) expect(known).toContain(String(cid));
      if (changed.every((name) => !name.startsWith('log'))) {
        expect(ledger.recovery.missing).toEqual([]);
        expect(await ledger.digest()).toBe(written.digest);
      }

      await ledger.replica.receive(written.blocks);
      expect(texts(ledger.clock)).toEqual(written.clock);
      expect(await ledger.digest()).toBe(written.digest);
      expect(await ledger.verify()).toMatchObject({ corrupt: [], stateMatches: true });
      await ledger.put({ _id: 'after', n: 1 });
      const digest = await ledger.digest();
      await ledger.close();

      const again = await open(files);
      await readAll(again);
      expect(await again.digest()).toBe(digest);
      expect(again.recovery.missing).toEqual([]);
      await again.close();
    });
  },
  60_000 + FUZZ_RUNS * 1000,
);

function open(files: MemoryFiles): Promise<Ledger> {
  const storage = new MemoryPlace(files);
  return openLedger('fuzzed', { storage, now: () => START_MS, segmentBytes: 500, cacheBytes: 0 });
}

async function writeLedger(
  files: MemoryFiles,
  random: Random,
): Promise<{ blocks: Block[]; clock: string[]; digest: string }> {
  const ledger = await open(files);
  for (let n = 0; n < 4 + random.below(8); n++) {
    await ledger.put({ _id: `doc-${random.below(4)}`, n, text: 'x'.repeat(random.below(200)) });
    if (random.oneIn(4)) await ledger.del(`doc-${random.below(4)}`);
  }
  await ledger.replica.receive([
    commitBlock({ timeMs: START_MS, operations: [putOf('doc-0', { n: -1 })] }),
    // From too far in the future, so that there is a log of parked commits.
    commitBlock({ timeMs: START_MS + 3_600_000, operations: [putOf('early', {})] }),
  ]);
  const blocks = await blocksOf(ledger);
  const [clock, digest] = [texts(ledger.clock), await ledger.digest()];
  await ledger.close();
  return { blocks, clock, digest };
}

/** @returns the names of the files that were changed */
function changeFiles(files: MemoryFiles, random: Random): string[] {
  const place = new MemoryPlace(files);
  const all = place.list().sort((a, b) => (a.name < b.name ? -1 : 1));
  const contents = all.map(({ name, size }) => place.read(name, 0, size));
  const changed = new Set<number>();
  for (let changes = 1 + random.below(2); changes > 0; changes--) {
    changed.add(random.below(all.length));
  }
  // A segment may get parts of another one, but not of the log of what waits.
  const segments = contents.filter((_, index) => all[index]!.name.startsWith('log'));
  for (const index of changed) {
    const { name } = all[index]!;
    const others = name.startsWith('log') ? segments : [];
    if (random.oneIn(10)) place.remove(name);
    else place.replace(name, mutated(random, [contents[index]!, ...others]));
  }
  return [...changed].map((index) => all[index]!.name);
}

/** Reads everything; what is found to be lost is then known to be. */
async function readAll(ledger: Ledger): Promise<void> {
  const read = async (cid: CID): Promise<boolean> => {
    try {
      await ledger.replica.getBlock(cid);
      return true;
    } catch (error) {
      if (!(error instanceof StorageError && error.code === 'corrupt')) throw error;
      // Reads wait until the loss is accounted for.
      await ledger.get('doc-0');
      return false;
    }
  };
  for (let whole = false; !whole;) {
    whole = true;
    for await (const cid of ledger.replica.cids()) whole = (await read(cid)) && whole;
  }
}
