import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type ClientMessage, SIGNALING_PROTOCOL } from '../../signaling/messages.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { newProof, TestClient, TestServers } from './client.ts';

const servers = new TestServers();

afterEach(() => servers.close());

const ATTACKS = setting('EMBERLINK_SIGNALING_ATTACKS', 600);

type Attack = (random: Random, url: string, room: string, victim: string) => Promise<void>;

/** Runs with a socket that is open, and ends when it has been closed by either side. */
function withSocket(
  act: (socket: WebSocket, random: Random, room: string, victim: string) => void,
): Attack {
  return (random, url, room, victim) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, SIGNALING_PROTOCOL);
      socket.on('error', () => {});
      socket.once('close', () => resolve());
      socket.once('open', () => {
        act(socket, random, room, victim);
        socket.close();
      });
    });
}

/** Runs with a bare TCP stream. */
function withStream(bytes: (random: Random) => (string | Uint8Array)[]): Attack {
  return (random, url) =>
    new Promise((resolve) => {
      const { port, hostname } = new URL(url);
      const socket = connect(Number(port), hostname, () => {
        for (const each of bytes(random)) socket.write(each);
        socket.end();
      });
      socket.resume();
      socket.on('error', () => {});
      socket.once('close', () => resolve());
    });
}

const handshake = (): string =>
  `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${SIGNALING_PROTOCOL}\r\n` +
  `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`;

const say = (socket: WebSocket, message: ClientMessage): void =>
  socket.send(JSON.stringify(message));

const ATTACK_KINDS: readonly Attack[] = [
  withSocket((socket) => socket.send('{"type":')),
  withSocket((socket, random) => socket.send(random.bytes(random.below(1000)))),
  withSocket((socket) => socket.send('x'.repeat(100_000))),
  withSocket((socket) => socket.send('['.repeat(60_000))),
  withSocket((socket) => {
    for (let i = 0; i < 300; i++) say(socket, { type: 'ping' });
  }),
  withSocket((socket) => {
    for (let i = 0; i < 300; i++) socket.ping('x'.repeat(100));
  }),
  withSocket((socket, random) => {
    const { proof } = newProof();
    for (let i = 0; i < 60; i++)
      say(socket, { type: 'join', room: `r${random.below(1e9)}`, proof });
  }),
  withSocket((socket, random, room, to) => {
    for (let i = 0; i < 20; i++) {
      say(socket, { type: 'send', room, to, data: 'evil' });
      say(socket, { type: 'leave', room });
      say(socket, { type: 'send', room: `r${random.below(9)}`, to, data: 'evil' });
    }
  }),
  withSocket((socket) => {
    socket.send('{"type":"join","room":"__proto__","proof":{"__proto__":1}}');
  }),
  withSocket((socket) => socket.terminate()),
  withStream(() => ['GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n']),
  withStream(() => ['GET /?\0 HTTP/9.9\r\n\r\n']),
  withStream((random) => [random.bytes(500)]),
  withStream((random) => [handshake(), random.bytes(1 + random.below(200))]),
  // Fragments without an end, a frame that claims to be huge, and half a frame.
  withStream(() => [
    handshake(),
    ...Array.from({ length: 500 }, () => Uint8Array.of(0, 0x80, 0, 0, 0, 0)),
  ]),
  withStream(() => [
    handshake(),
    Uint8Array.of(0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255),
  ]),
  withStream(() => [handshake(), Uint8Array.of(0x81, 0xfe, 0xff)]),
];

test('hostile clients in turn and at once: an honest room gets every message, and nothing else', async () => {
  await forSeeds(1, async (random) => {
    const { url, server } = await servers.start({
      trustedProxies: 1,
      idleSeconds: 1,
      heartbeatSeconds: 0.5,
      messagesPerSecond: 200,
      burstSeconds: 1,
      maxConnectionsPerAddress: 1000,
      messagesPerSecondPerAddress: 100_000,
      bytesPerSecondPerAddress: 2 ** 30,
    });
    // The honest ones come from elsewhere, through the same proxy.
    const headers = { 'X-Forwarded-For': '192.0.2.1' };
    const room = 'honest';
    const a = await TestClient.connect(url, { headers });
    const b = await TestClient.connect(url, { headers });
    const { member: alice } = await a.join(room);
    const { member: bob } = await b.join(room);
    await a.next('entered');

    let isOver = false;
    const attack = async (): Promise<void> => {
      for (let i = 0; i < ATTACKS / 8; i++)
        await random.pick(ATTACK_KINDS)(random, url, room, alice);
    };
    const attacks = Promise.all(Array.from({ length: 8 }, attack)).then(() => (isOver = true));
    let count = 0;
    while (!isOver) {
      a.say({ type: 'send', room, to: bob, data: `a${count}` });
      expect(await b.next('message')).toMatchObject({ from: alice, data: `a${count}` });
      b.say({ type: 'send', room, to: alice, data: `b${count}` });
      expect(await a.next('message')).toMatchObject({ from: bob, data: `b${count}` });
      count++;
      // Within the rate of honest clients.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await attacks;
    await a.settled();
    await b.settled();
    expect([a.heard, b.heard]).toEqual([[], []]);
    expect(count).toBeGreaterThan(5);
    const { failures, refusals } = server.stats();
    expect(failures).toBe(0);
    expect(refusals.malformed).toBeGreaterThan(0);
    await expect.poll(() => server.stats().connections, { timeout: 20_000 }).toBe(2);
    expect(server.stats()).toMatchObject({ rooms: 1, members: 2 });
  });
}, 120_000);
