import { expect, test } from 'vitest';
import { blockOf } from '../../src/blocks.ts';
import { Log } from '../../src/storage/log.ts';
import { Disk, SimulatedPlace } from '../simulation/disk.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { forSeeds } from '../support/random.ts';
import { cidsOf, recoverAll } from './support.ts';

test('what a strict log recovers survives the loss of power, though a killed process had not synced it', async () => {
  await forSeeds(20, async (random) => {
    const disk = new Disk(random);
    const clock = new VirtualClock();
    const openLog = (durability: 'relaxed' | 'strict'): Promise<Log> => {
      const options = { slowestMs: 0, died: () => undefined };
      return Log.open(new SimulatedPlace(disk, clock, random, options), { durability });
    };
    const block = blockOf(Uint8Array.of(1, 2, 3));
    await (await openLog('relaxed')).append([block]);

    expect(cidsOf(await recoverAll(await openLog('strict')))).toEqual([block.cid.toString()]);
    disk.losePower();
    expect(cidsOf(await recoverAll(await openLog('strict')))).toEqual([block.cid.toString()]);
  });
});
