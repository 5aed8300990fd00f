/**
 * Connects two ledgers fifty times in a row, tells what that left behind, and must then end by
 * itself. With the argument `destroy` each round ends at another moment of its course.
 */
import { openLedger, Sync, type Ledger } from '../../src/index.ts';

const ROUNDS = 50;
const atStart = process.getActiveResourcesInfo();
const mode = process.argv[2] === 'destroy' ? 'destroy' : 'close';

/** The course of a Sync, step by step; ends after so many of them. */
async function course(alice: Ledger, bob: Ledger, steps: number): Promise<void> {
  const [atAlice, atBob] = [alice, bob].map((ledger) => new Sync(ledger, { iceServers: [] }));
  let offer = '';
  let answer = '';
  const course = [
    async () => (offer = await atAlice!.offer()),
    async () => (answer = await atBob!.accept(offer)),
    async () => atAlice!.connect(answer),
    () => atAlice!.connected(),
    () => Promise.all([atAlice!.synced(), atBob!.backlog()]),
  ];
  for (const step of course.slice(0, steps)) await step();
  if (steps <= course.length) {
    atAlice!.destroy();
    atBob!.destroy();
    return;
  }
  await atAlice!.close();
  await atBob!.close();
}

/** What holds the process that did not at its start. Connections that close get two seconds. */
async function resourcesLeft(): Promise<string[]> {
  const until = performance.now() + 2000;
  for (;;) {
    const resources = process.getActiveResourcesInfo();
    for (const known of atStart) {
      if (resources.includes(known)) resources.splice(resources.indexOf(known), 1);
    }
    if (resources.length === 0 || performance.now() > until) return resources;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** `held`: what JavaScript holds. The native side of WebRTC keeps some memory of each connection. */
async function memoryAfterGc(): Promise<{ rss: number; held: number }> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    // What was collected is let go of in turns of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss, held: heapUsed + arrayBuffers };
}

let synced = 0;
let before = { rss: 0, held: 0 };
for (let round = 0; round < ROUNDS; round++) {
  const [alice, bob] = await Promise.all([
    openLedger('alice', { storage: 'memory' }),
    openLedger('bob', { storage: 'memory' }),
  ]);
  await alice.put({ _id: 'doc', round });
  await course(alice, bob, mode === 'close' ? 6 : round % 6);
  if ((await bob.get('doc'))?.['round'] === round) synced++;
  await Promise.all([alice.close(), bob.close()]);
  // What the first rounds load stays loaded.
  if (round === 9) before = await memoryAfterGc();
}
const resources = await resourcesLeft();
const after = await memoryAfterGc();
const grown = { rss: after.rss - before.rss, held: after.held - before.held };
process.stdout.write(JSON.stringify({ synced, resources, grown }));
