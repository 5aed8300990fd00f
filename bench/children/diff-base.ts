import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openLedger } from '../../src/open-ledger.ts';
import { tellOutcome } from '../child.ts';
import type { Metrics } from '../workloads/workload.ts';

export interface BaseTask {
  readonly n: number;
  /** The CAR that is written. */
  readonly file: string;
}

/** Carol writes n tiny documents, each by itself, so that there are n commits; her ledger is a CAR. */
async function main({ n, file }: BaseTask): Promise<Metrics> {
  const carol = await openLedger('carol', { storage: 'memory' });
  for (let i = 0; i < n; i++) await carol.put({ _id: `d${i}`, n: i });
  await pipeline(Readable.from(carol.export()), createWriteStream(file));
  return {};
}

await tellOutcome(main);
