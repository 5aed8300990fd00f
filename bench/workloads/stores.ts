import { deepStrictEqual } from 'node:assert';
import { mkdir } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BenchDocument } from '../documents.ts';
import type { Store } from '../peer.ts';
import { floorMs, openPipe } from '../pipe.ts';
import type { Metrics, Run } from './workload.ts';

const SETTLE_LIMIT_MS = 60_000;

/** Empty replicas, each with a folder of its own. */
export async function openStores<Names extends readonly string[]>(
  run: Run,
  ...names: Names
): Promise<{ [K in keyof Names]: Store }> {
  const stores: Store[] = [];
  for (const name of names) {
    const folder = `${run.folder}/${name}`;
    await mkdir(folder);
    stores.push(await run.peer.open(folder, name));
  }
  return stores as { [K in keyof Names]: Store };
}

/**
 * Joins two replicas until both have what either had, measures that, and parts them again.
 * @param count how many documents both have in the end
 */
export async function measureSync(
  { peer }: Run,
  alice: Store,
  bob: Store,
  count: number,
): Promise<Metrics> {
  globalThis.gc?.();
  const pipe = openPipe(peer.maxFrameBytes);
  const start = performance.now();
  const link = peer.join(alice, bob, pipe, { live: false });
  await link.synced;
  let ms = performance.now() - start;
  // For libraries that do not tell when the last document can be read.
  while ((await alice.count()) !== count || (await bob.count()) !== count) {
    if (performance.now() - start > SETTLE_LIMIT_MS) {
      throw new Error(`${await alice.count()} and ${await bob.count()} documents, not ${count}`);
    }
    await nextTurn();
    ms = performance.now() - start;
  }
  const [{ bytesSent: bytesToBob }, { bytesSent: bytesToAlice }] = pipe;
  const messages = pipe[0].framesSent + pipe[1].framesSent;
  const peakRss = process.resourceUsage().maxRSS * 1024;
  await link.close();
  return {
    ms,
    bytesToBob,
    bytesToAlice,
    bytes: bytesToBob + bytesToAlice,
    messages,
    peakRss,
    floorMs: await floorMs(bytesToBob, bytesToAlice),
  };
}

/** Brings Bob to what Alice has; not measured. */
export async function sync({ peer }: Run, alice: Store, bob: Store): Promise<void> {
  // Twice, for libraries whose one direction ends before it has seen what the other one brought.
  for (let i = 0; i < 2; i++) {
    const link = peer.join(alice, bob, openPipe(peer.maxFrameBytes), { live: false });
    await link.synced;
    await link.close();
  }
}

/** That the replica has the documents as they were written: what was measured was the real thing. */
export async function expectDocuments(
  store: Store,
  expected: Iterable<BenchDocument>,
): Promise<void> {
  for (const document of expected) {
    // Only the values count, not the classes that a library hands them out in.
    const stored: unknown = JSON.parse(JSON.stringify(await store.get(document._id)));
    deepStrictEqual(stored, JSON.parse(JSON.stringify(document)));
  }
}
