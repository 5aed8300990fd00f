import { expect, it } from 'vitest';
import { Log } from '../../src/storage/log.ts';
import { type MemoryFiles, MemoryPlace } from '../../src/storage/memory.ts';
import { logSuite } from '../suites/log.suite.ts';
import { type PlaceFixture, placeSuite } from '../suites/place.suite.ts';
import { randomBlocks, seeded } from './support.ts';

async function memoryFixture(): Promise<PlaceFixture> {
  const files: MemoryFiles = new Map();
  return {
    open: async () => new MemoryPlace(files),
    remove: async () => files.clear(),
  };
}

placeSuite('memory', memoryFixture);
logSuite('memory', memoryFixture);

it.each(['relaxed', 'strict'] as const)(
  'a %s log in memory answers at once',
  async (durability) => {
    const log = await Log.open(new MemoryPlace(), { durability, segmentBytes: 1000 });
    const blocks = randomBlocks(seeded(1), 10, 300);
    for (const block of blocks) {
      const locations = log.append([block]);
      if (locations instanceof Promise) throw new Error('the append gave a promise');
      expect(log.read(locations[0]!, block.cid)).toEqual(block.bytes);
    }
    expect(log.segments.size).toBeGreaterThan(1);
  },
);
