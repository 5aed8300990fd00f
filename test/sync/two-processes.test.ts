import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, PeerProcess } from '../support/peer-process.ts';

const MEGABYTE = 1e6;
/** How much the memory test sends, in bytes. */
const MEMORY_TEST_BYTES = Number(process.env['EMBERLINK_MEMORY_TEST_BYTES'] ?? 256 * MEGABYTE);
/** That of a ledger grows by 400 bytes a document, and its tables double: no part of the transfer. */
const INDEX_BYTES = 800;

let folder: string;
let alice: PeerProcess;
let bob: PeerProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'emberlink-sync-'));
  [alice, bob] = await Promise.all([PeerProcess.start(), PeerProcess.start()]);
  await Promise.all([alice.call('open', 'alice', folder), bob.call('open', 'bob', folder)]);
});

afterEach(async () => {
  await Promise.all([alice.kill(), bob.kill()]);
  await rm(folder, { recursive: true, force: true });
});

/** Waits until each side has stored what the other had, then expects equal clocks and states. */
async function expectEqual(documents: number): Promise<void> {
  await Promise.all([alice.call('synced'), bob.call('synced')]);
  const [atAlice, atBob] = await Promise.all([alice.call('state'), bob.call('state')]);
  expect(atBob).toEqual(atAlice);
  expect(atAlice.documents).toBe(documents);
}

describe('two processes over WebRTC', () => {
  it('bring a fresh peer up to date, and their processes end by themselves', async () => {
    await alice.call('bulk', 'doc', 20_000, 100);
    await connect(alice, bob);
    await bob.call('backlog');
    await expectEqual(20_000);
    expect(await Promise.all([alice.end(), bob.end()])).toEqual([0, 0]);
  });

  it('merge what each wrote alone, then what each writes live', async () => {
    await alice.call('bulk', 'alice', 500, 100);
    await bob.call('bulk', 'bob', 700, 100);
    // Before they are connected: a live write may be seen by the other side's next one.
    await alice.call('put', { _id: 'both', from: 'alice' });
    await bob.call('put', { _id: 'both', to: 'bob' });
    await connect(alice, bob);
    await expectEqual(1201);
    await Promise.all([
      alice.call('put', { _id: 'live:alice', n: 1 }),
      bob.call('put', { _id: 'live:bob', n: 1 }),
    ]);
    await expectEqual(1203);
    expect(await alice.call('get', 'both')).toEqual({ _id: 'both', from: 'alice', to: 'bob' });
  });

  it('go on from where a transfer of 50 MB was cut, while both write', async () => {
    const documents = 50;
    await alice.call('bulk', 'large', documents, MEGABYTE);
    await connect(alice, bob);
    await Promise.all([alice.call('startWriting', 'by-alice'), bob.call('startWriting', 'by-bob')]);
    await bob.call('received', 15 * MEGABYTE);
    await alice.call('cut');
    await bob.call('closed');
    const before = (await bob.call('state')).documents;
    expect(before).toBeGreaterThan(10);
    expect(before).toBeLessThan(documents + 10_000);

    await connect(alice, bob);
    const [byAlice, byBob] = await Promise.all([
      alice.call('stopWriting'),
      bob.call('stopWriting'),
    ]);
    await expectEqual(documents + byAlice.length + byBob.length);
    expect(byAlice.length).toBeGreaterThan(0);
    expect(byBob.length).toBeGreaterThan(0);
    // What had arrived was not sent again.
    expect(await bob.call('receivedSoFar')).toBeLessThan(40 * MEGABYTE);
  });

  // To notice that a process is gone takes 15 seconds by itself.
  const KILLED = { timeout: 120_000 };
  it('lose nothing when the receiver is killed in the middle of a transfer', KILLED, async () => {
    await alice.call('bulk', 'large', 30, MEGABYTE);
    await connect(alice, bob);
    await bob.call('received', 10 * MEGABYTE);
    await bob.kill();
    expect(await alice.call('closed')).toBe('ConnectionError');

    bob = await PeerProcess.start();
    await bob.call('open', 'bob', folder);
    expect((await bob.call('state')).documents).toBeGreaterThanOrEqual(9);
    await connect(alice, bob);
    await expectEqual(30);
    expect(await bob.call('receivedSoFar')).toBeLessThan(22 * MEGABYTE);
  });

  it('need 64 MB at most for a transfer of any size', { timeout: 300_000 }, async () => {
    const documents = Math.ceil(MEMORY_TEST_BYTES / 65_536);
    const most = 64 + (documents * INDEX_BYTES) / MEGABYTE;
    // Idle is a peer that has synced something small, with WebRTC loaded.
    await alice.call('bulk', 'small', 1, 65_536);
    await connect(alice, bob);
    await bob.call('backlog');
    await alice.call('cut');
    await alice.call('bulk', 'large', documents, 65_536);
    const idle = await Promise.all([alice.call('memory'), bob.call('memory')]);
    await connect(alice, bob);
    await bob.call('backlog');
    const after = await Promise.all([alice.call('memory'), bob.call('memory')]);
    const growth = after.map((memory, i) => (memory.peakRss - idle[i]!.rss) / MEGABYTE);
    console.log(
      `peak memory over idle for ${MEMORY_TEST_BYTES / MEGABYTE} MB: sender ${growth[0]!.toFixed(0)} MB, receiver ${growth[1]!.toFixed(0)} MB`,
    );
    expect(growth[0]).toBeLessThan(most);
    expect(growth[1]).toBeLessThan(most);
  });
});
