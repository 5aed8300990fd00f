import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterEach, expect, test } from 'vitest';
import type { RoomWord } from '../../signaling/broker.ts';
import { MAX_AHEAD_MS, parseRoomWord, parseServerWord } from '../../signaling/broker-words.ts';
import type { SignalingServer } from '../../signaling/server.ts';
import { SharedClock } from '../../signaling/shared-clock.ts';
import { newProof, TestClient, TestServers } from './client.ts';
import { type MemoryBroker, MemoryBus } from './memory-broker.ts';

const servers = new TestServers();

afterEach(() => servers.close());

interface Node {
  readonly url: string;
  readonly server: SignalingServer;
  readonly broker: MemoryBroker;
}

async function startNodes(
  beats: { heartbeatSeconds?: number; brokerBeatSeconds?: number } = {},
): Promise<[Node, Node]> {
  const bus = new MemoryBus();
  const start = async (): Promise<Node> => {
    const broker = bus.connect();
    return { ...(await servers.start({ broker, ...beats })), broker };
  };
  return [await start(), await start()];
}

test('members on two servers find each other, whoever came first, and exchange messages', async () => {
  const [east, west] = await startNodes();
  const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
  const { member: alice } = await a.join('r');
  const { member: bob, members } = await b.join('r');
  // The answer does not wait for the other server; who is there is heard a moment later.
  expect(members).toEqual([]);
  expect(await b.next('entered')).toMatchObject({ member: alice });
  expect(await a.next('entered')).toMatchObject({ member: bob });
  a.say({ type: 'send', room: 'r', to: bob, data: 'over' });
  expect(await b.next('message')).toMatchObject({ from: alice, data: 'over' });
  b.say({ type: 'send', room: 'r', to: alice, data: 'back' });
  expect(await a.next('message')).toMatchObject({ from: bob, data: 'back' });

  const c = await TestClient.connect(east.url);
  expect((await c.join('r')).members).toEqual(expect.arrayContaining([alice, bob]));
  await b.next('entered');
  await a.next('entered');
  await b.end();
  expect(await a.next('left')).toMatchObject({ member: bob });
  a.say({ type: 'send', room: 'r', to: bob, data: 'gone' });
  expect(await a.next('error')).toMatchObject({ code: 'no-such-member' });
});

test('who comes again on another server takes the place of the former self there', async () => {
  const [east, west] = await startNodes();
  const [a, old, young] = [
    await TestClient.connect(east.url),
    await TestClient.connect(east.url),
    await TestClient.connect(west.url),
  ];
  const bob = newProof();
  const { member: alice } = await a.join('r');
  await old.join('r', bob);
  await a.next('entered');
  await young.join('r', bob);
  expect(await young.next('entered')).toMatchObject({ member: alice });
  expect(await old.next('error')).toMatchObject({ code: 'replaced', room: 'r' });
  expect(await a.next('entered')).toMatchObject({ member: bob.member });
  await old.end();
  a.say({ type: 'send', room: 'r', to: bob.member, data: 'x' });
  expect(await young.next('message')).toMatchObject({ data: 'x' });
  await a.settled();
  expect(a.heard).toEqual([]);
});

test('a server that vanished takes its members with it; when the broker is back, so are they', async () => {
  const [east, west] = await startNodes({ brokerBeatSeconds: 0.1 });
  const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
  await a.join('r');
  const { member: bob } = await b.join('r');
  expect(await a.next('entered')).toMatchObject({ member: bob });
  west.broker.goAway();
  expect(
    (await (await fetch(`${west.url.replace('ws', 'http')}health`)).json()) as object,
  ).toMatchObject({
    brokerUp: false,
  });
  const metrics = await (await fetch(`${west.url.replace('ws', 'http')}metrics`)).text();
  expect(metrics).toContain('emberlink_signal_broker_up{broker="memory"} 0');
  expect(await a.next('left')).toMatchObject({ member: bob });
  await west.broker.comeBack();
  expect(await a.next('entered')).toMatchObject({ member: bob });
});

test('a departure that the broker lost is made good at the next heartbeat', async () => {
  const [east, west] = await startNodes({ heartbeatSeconds: 0.1 });
  const a = await TestClient.connect(east.url);
  const [b, c] = [await TestClient.connect(west.url), await TestClient.connect(west.url)];
  await a.join('r');
  const { member: bob } = await b.join('r');
  await a.next('entered');
  await b.next('entered');
  await c.join('r');
  await a.next('entered');
  west.broker.goAway();
  await b.end();
  expect(await c.next('left')).toMatchObject({ member: bob });
  await west.broker.comeBack();
  expect(await a.next('left')).toMatchObject({ member: bob });
});

test('one who joins on two servers at the same moment has one place, and the others agree where', async () => {
  const [east, west] = await startNodes({ heartbeatSeconds: 0.1 });
  const a = await TestClient.connect(east.url);
  await a.join('r');
  const bob = newProof();
  const both = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
  await Promise.all(both.map((client) => client.join('r', bob)));
  const isReplaced = (client: TestClient): boolean =>
    client.heard.some((message) => message.type === 'error' && message.code === 'replaced');
  await expect.poll(() => both.filter(isReplaced).length).toBe(1);
  const holder = both.find((client) => !isReplaced(client))!;
  a.say({ type: 'send', room: 'r', to: bob.member, data: 'x' });
  await expect.poll(() => holder.heard.at(-1)?.type).toBe('message');
});

test('a server whose clock is behind gives a later place than one whose clock is ahead', () => {
  const clock = new SharedClock();
  const ahead = (Date.now() + 60_000) * 1000;
  clock.hear(ahead);
  const first = clock.next();
  expect(first).toBeGreaterThanOrEqual(ahead);
  clock.hear(1);
  expect(clock.next()).toBeGreaterThan(first);
});

test('words of servers are read as they were written, and anything else is none', () => {
  const server = 's'.repeat(22);
  const member = 'm'.repeat(22);
  const nowMs = 1_000_000_000;
  const limits = { maxDataCharacters: 10, nowMs };
  const words: RoomWord[] = [
    { type: 'entered', server, member, at: nowMs * 1000 },
    { type: 'left', server, member },
    { type: 'message', server, from: member, to: member, data: 'x'.repeat(10) },
    { type: 'who', server },
    { type: 'here', server, members: [[member, 0]] },
  ];
  for (const word of words) {
    expect(parseRoomWord(JSON.stringify(word), limits)).toEqual(word);
    expect(parseRoomWord(JSON.stringify({ ...word, server: 's' }), limits)).toBeUndefined();
  }
  const alive = { type: 'alive', server, at: (nowMs + MAX_AHEAD_MS) * 1000 };
  expect(parseServerWord(JSON.stringify(alive), limits)).toEqual(alive);
  const none = [
    { type: 'entered', server, member, at: (nowMs + MAX_AHEAD_MS) * 1000 + 1 },
    { type: 'entered', server, member, at: 0.5 },
    { type: 'entered', server, member, at: -1 },
    { type: 'entered', server, member: 'm', at: 0 },
    { type: 'left', server },
    { type: 'message', server, from: member, to: member, data: 'x'.repeat(11) },
    { type: 'message', server, from: member, to: member, data: '"' },
    { type: 'message', server, from: member, to: 'm', data: '' },
    { type: 'here', server, members: { [member]: 0 } },
    { type: 'here', server, members: [member] },
    { type: 'here', server, members: [[member, 0, 0]] },
    { type: 'here', server, members: Array.from({ length: 5000 }, () => [member, 0]) },
    { type: 'alive', server, at: nowMs },
    [],
  ];
  for (const word of none) expect(parseRoomWord(JSON.stringify(word), limits)).toBeUndefined();
  expect(parseServerWord(JSON.stringify({ ...alive, at: '1' }), limits)).toBeUndefined();
  expect(parseServerWord('{', limits)).toBeUndefined();
});

test('without its package, a server that is told of a broker says what is missing', async () => {
  // Far from any node_modules: all else that the server needs is in the file.
  const folder = await mkdtemp(join(tmpdir(), 'emberlink-signal-'));
  try {
    await build({
      entryPoints: [fileURLToPath(new URL('../../src/server.ts', import.meta.url))],
      outfile: join(folder, 'server.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'error',
    });
    const script = `
      const { createSignalingServer } = require('./server.cjs');
      const server = createSignalingServer({ port: 0, brokerUrls: ['nats://127.0.0.1:1'] });
      server.listen().catch(({ name, code, setting, message }) =>
        console.log(JSON.stringify({ name, code, setting, message })));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'SignalingServerError',
      code: 'missing-package',
      setting: 'brokerUrls',
      message: expect.stringContaining('npm install @nats-io/transport-node') as unknown,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
