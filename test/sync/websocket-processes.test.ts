import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerProcess } from '../support/peer-process.ts';
import { setting } from '../support/random.ts';

const MEGABYTE = 1e6;
/** How much the memory test sends each way, in bytes. */
const MEMORY_TEST_BYTES = setting('EMBERLINK_MEMORY_TEST_BYTES', 256 * MEGABYTE);

let folder: string;
/** Serves. */
let alice: PeerProcess;
/** Connects to her. */
let bob: PeerProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'emberlink-websocket-'));
  [alice, bob] = await Promise.all([PeerProcess.start(), PeerProcess.start()]);
  await Promise.all([alice.call('open', 'alice', folder), bob.call('open', 'bob', folder)]);
});

afterEach(async () => {
  await Promise.all([alice.kill(), bob.kill()]);
  await rm(folder, { recursive: true, force: true });
});

async function expectEqual(documents: number): Promise<void> {
  const [atAlice, atBob] = await Promise.all([alice.call('state'), bob.call('state')]);
  expect(atBob).toEqual(atAlice);
  expect(atAlice.documents).toBe(documents);
}

/** Ends Alice's process without a word, and makes a new one that serves her ledger at the port. */
async function restartAlice(port: number): Promise<void> {
  await alice.kill();
  alice = await PeerProcess.start();
  await alice.call('open', 'alice', folder);
  await alice.call('serve', port);
}

describe('two processes over WebSocket', () => {
  it('bring a fresh peer up to date, and their processes end by themselves', async () => {
    await alice.call('bulk', 'doc', 50_000, 100);
    await bob.call('visit', await alice.call('serve'));
    await bob.call('backlog');
    await expectEqual(50_000);
    // Bob leaves first: who serves has nobody to close.
    expect([await bob.end(), await alice.end()]).toEqual([0, 0]);
  });

  it('end by themselves when who serves leaves first', async () => {
    await bob.call('visit', await alice.call('serve'));
    await bob.call('backlog');
    expect([await alice.end(), await bob.end()]).toEqual([0, 0]);
  });

  it('lose nothing when the server is killed and started again while the client writes', async () => {
    await alice.call('bulk', 'alice', 500, 100);
    const port = await alice.call('serve');
    await bob.call('visit', port);
    await bob.call('backlog');
    await bob.call('startWriting', 'by-bob');
    for (let i = 0; i < 3; i++) {
      await restartAlice(port);
      await alice.call('put', { _id: `restart:${i}` });
      await bob.call('synced');
    }
    const written = await bob.call('stopWriting');
    await bob.call('synced');
    await bob.call('backlog');
    await expectEqual(500 + 3 + written.length);
    expect(written.length).toBeGreaterThan(10);
  });

  it('go on from where a transfer of 50 MB was cut by the death of the server', async () => {
    await alice.call('bulk', 'large', 50, MEGABYTE);
    const port = await alice.call('serve');
    await bob.call('visit', port);
    await bob.call('received', 15 * MEGABYTE);
    await restartAlice(port);
    await bob.call('backlog');
    await expectEqual(50);
    // What had arrived was not sent again.
    expect(await bob.call('receivedSoFar')).toBeLessThan(40 * MEGABYTE);
  });

  it('need no more than 64 MB for a transfer of any size', { timeout: 300_000 }, async () => {
    // Idle is a peer that has synced something small.
    await alice.call('bulk', 'small', 1, 65_536);
    const port = await alice.call('serve');
    await bob.call('visit', port);
    await bob.call('backlog');
    await bob.call('closeSync');
    await alice.call('bulk', 'large', Math.ceil(MEMORY_TEST_BYTES / 65_536), 65_536);
    const idle = await Promise.all([alice.call('memory'), bob.call('memory')]);
    await bob.call('visit', port);
    await bob.call('backlog');
    const after = await Promise.all([alice.call('memory'), bob.call('memory')]);
    const growth = after.map((memory, i) => (memory.peakRss - idle[i]!.rss) / MEGABYTE);
    console.log(
      `peak memory over idle for ${MEMORY_TEST_BYTES / MEGABYTE} MB: server ${growth[0]!.toFixed(0)} MB, client ${growth[1]!.toFixed(0)} MB`,
    );
    expect(growth[0]).toBeLessThan(64);
    expect(growth[1]).toBeLessThan(64);
  });
});
