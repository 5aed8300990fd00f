import { createReadStream } from 'node:fs';
import { CarReader } from '../../src/car/reader.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import { Session } from '../../src/protocol/session.ts';
import { tellOutcome } from '../child.ts';
import { openPipe } from '../pipe.ts';
import { Tap } from '../tap.ts';
import type { Metrics } from '../workloads/workload.ts';

export interface DiffTask {
  readonly n: number;
  /** The CAR of the n commits that both have. */
  readonly file: string;
  /** How many commits only one of them has: half of them Alice, the rest Bob; a single one Alice. */
  readonly differences: number;
  /** Whether each came by its own commits after all shared ones, or in between, evenly. */
  readonly way: 'clustered' | 'spread';
}

const RECEIVE_BATCH = 256;
const FRAME_BYTES = 65_536;

/** Two real ledgers in memory and two sessions over the counting pipe, until both have everything. */
async function main(task: DiffTask): Promise<Metrics> {
  const toAlice = Math.ceil(task.differences / 2);
  const alice = await ledgerOf('alice', toAlice, task);
  const bob = await ledgerOf('bob', task.differences - toAlice, task);
  globalThis.gc?.();

  const pipe = openPipe(FRAME_BYTES);
  const cpu = process.cpuUsage();
  const start = performance.now();
  const tap = new Tap(pipe);
  const sessions = [
    new Session(tap.channel(0), alice.replica),
    new Session(tap.channel(1), bob.replica),
  ] as const;
  const ended = Promise.all(sessions.map((session) => session.run()));
  await Promise.race([ended, Promise.all(sessions.map((session) => session.firstSync()))]);
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const [{ bytesSent: bytesToBob }, { bytesSent: bytesToAlice }] = pipe;
  const { bytes: bytesBefore, ms: msBefore, trips } = tap.beforeBlocks;

  const blocks = task.n + task.differences;
  if (alice.replica.blockCount !== blocks || String(alice.clock) !== String(bob.clock)) {
    throw new Error('they are not the same');
  }
  await sessions[0].close();
  await ended;
  return {
    ms,
    cpuMs: (user + system) / 1000,
    bytesToBob,
    bytesToAlice,
    bytes: bytesToBob + bytesToAlice,
    bytesBefore,
    ...(Number.isNaN(msBefore) ? {} : { msBefore, roundTrips: trips / 2 }),
  };
}

/** The shared commits as they come from Carol, and this ledger's own among them. */
async function ledgerOf(name: string, own: number, { n, file, way }: DiffTask): Promise<Ledger> {
  const ledger = await openLedger(name, { storage: 'memory' });
  const reader = new CarReader();
  let received = 0;
  let written = 0;
  const writeUpTo = async (count: number): Promise<void> => {
    while (written < count) await ledger.put({ _id: `${name}${written}`, n: written++ });
  };
  for await (const chunk of createReadStream(file)) {
    const blocks = reader.push(chunk as Uint8Array);
    for (let at = 0; at < blocks.length; at += RECEIVE_BATCH) {
      const batch = blocks.slice(at, at + RECEIVE_BATCH);
      await ledger.replica.receive(batch);
      received += batch.length;
      if (way === 'spread') await writeUpTo(Math.floor((own * received) / n));
    }
  }
  await writeUpTo(own);
  return ledger;
}

await tellOutcome(main);
