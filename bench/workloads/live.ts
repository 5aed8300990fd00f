import { setTimeout as wait } from 'node:timers/promises';
import { encode } from '@ipld/dag-cbor';
import { type BenchDocument, documentAt, documents } from '../documents.ts';
import type { Store } from '../peer.ts';
import { openPipe } from '../pipe.ts';
import { quantile } from '../quantile.ts';
import { expectDocuments, openStores } from './stores.ts';
import type { Metrics, Run, Workload } from './workload.ts';

/** Written before it is measured, so that compiling the code is not what is measured. */
const WARM_UP = 4000;
const WRITES = 1000;
/** For what follows a write, such as an acknowledgement. */
const SETTLE_MS = 100;

/** W4: connected and idle at n documents; Alice adds one at a time: until Bob's subscriber has it. */
export const liveInserts: Workload = {
  sizes: [10_000],
  run: (run) =>
    measureWrites(
      run,
      (i) => documentAt(run.n + i),
      (alice, document) => alice.put(document),
    ),
};

/** W4u: the same, changing one field of an existing document. */
export const liveUpdates: Workload = {
  sizes: [10_000],
  run: (run) =>
    measureWrites(
      run,
      (i) => ({ ...documentAt(i % run.n), plays: 1_000_000 + i }),
      (alice, document) => alice.changePlays(document),
    ),
};

async function measureWrites(
  run: Run,
  documentOf: (i: number) => BenchDocument,
  write: (alice: Store, document: BenchDocument) => unknown,
): Promise<Metrics> {
  const [alice, bob] = await openStores(run, 'alice', 'bob');
  await alice.load(documents(0, run.n));
  const pipe = openPipe(run.peer.maxFrameBytes);
  const link = run.peer.join(alice, bob, pipe, { live: true });
  await link.synced;

  let expected = '';
  let told = (): void => {};
  bob.subscribe((id) => {
    if (id === expected) told();
  });
  const measure = async (i: number): Promise<number> => {
    const document = documentOf(i);
    expected = document._id;
    let toldAt = 0;
    const arrived = new Promise<void>((resolve) => {
      told = () => {
        toldAt ||= performance.now();
        resolve();
      };
    });
    const start = performance.now();
    await Promise.all([write(alice, document), arrived]);
    return toldAt - start;
  };
  for (let i = 0; i < WARM_UP; i++) await measure(i);
  await wait(SETTLE_MS);
  const before = pipe.map(({ bytesSent }) => bytesSent);
  const latencies: number[] = [];
  for (let i = WARM_UP; i < WARM_UP + WRITES; i++) latencies.push(await measure(i));
  await wait(SETTLE_MS);
  const [toBob, toAlice] = pipe.map(({ bytesSent }, side) => bytesSent - before[side]!);
  await expectDocuments(bob, [documentOf(WARM_UP), documentOf(WARM_UP + WRITES - 1)]);
  await link.close();
  let cborBytes = 0;
  for (let i = 0; i < WRITES; i++) cborBytes += encode(documentOf(WARM_UP + i)).length;
  const bytes = (toBob! + toAlice!) / WRITES;
  return {
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    bytesToBob: toBob! / WRITES,
    bytesToAlice: toAlice! / WRITES,
    bytes,
    overDocument: bytes - cborBytes / WRITES,
    floorMs: await oneWayMs(Math.round(toBob! / WRITES)),
  };
}

/** The median time of a message of this size through the bare pipe, one at a time. */
async function oneWayMs(bytes: number): Promise<number> {
  const [alice, bob] = openPipe(Infinity);
  const message = new Uint8Array(bytes).fill(1);
  let arrived = (): void => {};
  bob.start({ frame: () => arrived(), closed: () => {} });
  alice.start({ frame: () => {}, closed: () => {} });
  const times: number[] = [];
  for (let i = 0; i < WRITES; i++) {
    const start = performance.now();
    await new Promise<void>((resolve) => {
      arrived = resolve;
      alice.send(message);
    });
    times.push(performance.now() - start);
  }
  alice.destroy();
  return quantile(times, 0.5);
}
