import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRoomSecret, roomId } from '../../src/index.ts';
import { PeerProcess } from '../support/peer-process.ts';
import { SignalingProcess } from '../support/signaling-process.ts';

const ROOM = 'the garden behind the house';
const SECRET = createRoomSecret();
const TIMEOUT_MS = 60_000;

let folder: string;
let server: SignalingProcess;
let url: string;
const peers = new Map<string, PeerProcess>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'emberlink-rooms-'));
  server = await SignalingProcess.start();
  url = await server.call('listen', { logLevel: 'debug' });
});

afterEach(async () => {
  await Promise.all([server, ...peers.values()].map((each) => each.kill()));
  peers.clear();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a process whose ledger has this name, anew perhaps, and lets it join the room. */
async function enter(name: string): Promise<PeerProcess> {
  const peer = await PeerProcess.start();
  peers.set(name, peer);
  await peer.call('open', name, folder);
  await peer.call('enter', { room: ROOM, secret: SECRET, signaling: url });
  return peer;
}

/** Each sees exactly the others, and is linked with all of them. */
async function expectTogether(): Promise<void> {
  const names = [...peers.keys()].sort();
  await expect
    .poll(
      () =>
        Promise.all(
          names.map(async (name) => {
            const report = await peers.get(name)!.call('room');
            const others = report.peers.map((peer) => `${peer.name} ${peer.state}`).sort();
            return { name, servers: report.servers, others };
          }),
        ),
      { timeout: TIMEOUT_MS, interval: 100 },
    )
    .toEqual(
      names.map((name) => {
        const others = names.filter((each) => each !== name).map((each) => `${each} live`);
        return { name, servers: ['joined'], others };
      }),
    );
}

async function expectEqual(): Promise<{ documents: number }> {
  await expect
    .poll(
      async () => {
        const states = await Promise.all([...peers.values()].map((peer) => peer.call('state')));
        return new Set(states.map(({ digest }) => digest)).size;
      },
      { timeout: TIMEOUT_MS, interval: 100 },
    )
    .toBe(1);
  return peers.values().next().value!.call('state');
}

test(
  'a signaling server that is killed and started again costs a room nothing',
  async () => {
    const four = await Promise.all(['alice', 'bob', 'carol', 'dave'].map(enter));
    await expectTogether();
    await Promise.all(four.map((peer, i) => peer.call('startWriting', `by-${i}`)));
    const { port } = new URL(url);
    await server.kill();
    const servers = async (): Promise<string[]> =>
      (await Promise.all(four.map((peer) => peer.call('room')))).flatMap((room) => room.servers);
    await expect.poll(servers, { timeout: TIMEOUT_MS }).not.toContain('joined');
    server = await SignalingProcess.start();
    await server.call('listen', { port: Number(port) });
    await expectTogether();

    await enter('erin');
    await expectTogether();
    const written = await Promise.all(four.map((peer) => peer.call('stopWriting')));
    const { documents } = await expectEqual();
    expect(documents).toBe(written.flat().length);
    const reports = await Promise.all(four.map((peer) => peer.call('room')));
    expect(reports.map(({ lostLinks }) => lostLinks)).toEqual([0, 0, 0, 0]);
  },
  2 * TIMEOUT_MS,
);

test(
  'a member that was killed is gone for all, and comes back in its own place with all that it wrote',
  async () => {
    const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map(enter));
    await expectTogether();
    await alice!.call('startWriting', 'by-alice');
    for (let i = 0; i < 50; i++) await carol!.call('put', { _id: `by-carol:${i}` });
    await carol!.kill();
    peers.delete('carol');
    await expectTogether();

    const again = await enter('carol');
    await expectTogether();
    for (let i = 50; i < 100; i++) await again.call('put', { _id: `by-carol:${i}` });
    // Now nobody has noticed her end when she is back.
    await again.kill();
    await enter('carol');
    await expectTogether();
    const written = await alice!.call('stopWriting');
    await expectEqual();
    expect((await bob!.call('state')).documents).toBe(100 + written.length);
  },
  2 * TIMEOUT_MS,
);

test(
  'the operator of the server sees neither names, secrets and documents nor where members are',
  async () => {
    const text = 'sixteen roses, and a snail called Agatha';
    const [alice, bob] = await Promise.all(['alice', 'bob'].map(enter));
    await expectTogether();
    await alice!.call('put', { _id: 'seen', text });
    await alice!.call('roomSynced');
    expect(await bob!.call('get', 'seen')).toMatchObject({ text });
    const file = join(folder, 'server.heapsnapshot');
    const memory = await memoryOf(server.pid);
    await server.call('snapshot', file);
    const snapshot = await readFile(file, 'latin1');

    const id = await roomId(ROOM);
    const words = [id, ROOM, SECRET.slice(6), text, 'ice-ufrag', 'typ host', 'alice'];
    const foundIn = (parts: readonly string[]): string[] =>
      words.filter((word) => parts.some((part) => part.includes(word)));
    // It knows the room by its hash, and logs not even that.
    expect(foundIn([snapshot])).toEqual([id]);
    if (memory !== undefined) expect(foundIn(memory)).toEqual([id]);
    expect(foundIn([server.log])).toEqual([]);
    expect(server.log).toContain('connected');
  },
  TIMEOUT_MS,
);

/** All that a process can write to in its memory, on Linux; elsewhere undefined. */
async function memoryOf(pid: number): Promise<string[] | undefined> {
  if (!existsSync('/proc/self/mem')) return undefined;
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
  const memory = await open(`/proc/${pid}/mem`);
  const parts: string[] = [];
  try {
    for (const [, from, to] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      const start = Number.parseInt(from!, 16);
      const bytes = Buffer.alloc(Number.parseInt(to!, 16) - start);
      // Some of it is reserved, and cannot be read.
      const { bytesRead } = await memory
        .read(bytes, 0, bytes.length, start)
        .catch(() => ({ bytesRead: 0 }));
      parts.push(bytes.toString('latin1', 0, bytesRead));
    }
  } finally {
    await memory.close();
  }
  return parts;
}
