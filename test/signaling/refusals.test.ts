import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { newProof, TestClient, TestServers, upgradeStatus } from './client.ts';

const servers = new TestServers();

afterEach(() => servers.close());

const proof = newProof();
const join = { type: 'join', room: 'r', proof: proof.proof };

test.each([
  ['nothing', ''],
  ['no JSON', '{"type":'],
  ['a list', '[]'],
  ['null', 'null'],
  ['an unknown type', '{"type":"shout"}'],
  ['a type that is no text', '{"type":{}}'],
  ['a room with a slash', JSON.stringify({ ...join, room: 'a/b' })],
  ['a room of 65 characters', JSON.stringify({ ...join, room: 'a'.repeat(65) })],
  ['a room that is a number', JSON.stringify({ ...join, room: 1 })],
  ['a room called __proto__ in a list', JSON.stringify({ ...join, room: ['__proto__'] })],
  ['a proof that is too short', JSON.stringify({ ...join, proof: 'a'.repeat(42) })],
  ['a token of 8,193 characters', JSON.stringify({ ...join, token: 'a'.repeat(8193) })],
  ['an address that is none', JSON.stringify({ type: 'send', room: 'r', to: 'bob', data: '' })],
  [
    'data that is no base64url',
    JSON.stringify({ type: 'send', room: 'r', to: proof.member, data: '"' }),
  ],
])('a text frame that is %s is malformed and ends the connection', async (_what, frame) => {
  const { url, server } = await servers.start();
  const client = await TestClient.connect(url);
  client.socket.send(frame);
  expect(await client.next('error')).toMatchObject({ code: 'malformed' });
  expect(await client.closed).toBe(1008);
  expect(server.stats().refusals.malformed).toBe(1);
});

test('rooms may have the names of what every object has', async () => {
  const { url } = await servers.start();
  const client = await TestClient.connect(url);
  for (const room of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect(await client.join(room, proof)).toMatchObject({ room, members: [] });
  }
});

test('a binary frame, a frame that is too large and one that is not UTF-8 end the connection', async () => {
  const { url } = await servers.start({ maxMessageBytes: 2048 });
  const binary = await TestClient.connect(url);
  binary.socket.send(Buffer.from(JSON.stringify({ type: 'ping' })));
  expect(await binary.next('error')).toMatchObject({ code: 'malformed' });
  expect(await binary.closed).toBe(1008);

  const large = await TestClient.connect(url);
  large.socket.send(JSON.stringify({ type: 'ping', filling: 'x'.repeat(2048) }));
  expect(await large.closed).toBe(1009);

  const latin = await TestClient.connect(url);
  latin.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
  expect(await latin.closed).toBe(1007);
});

test('the largest message goes through', async () => {
  const { url } = await servers.start({ maxMessageBytes: 2048 });
  const [a, b] = [await TestClient.connect(url), await TestClient.connect(url)];
  await a.join('r');
  const { member } = await b.join('r');
  const send = { type: 'send', room: 'r', to: member, data: '' } as const;
  const data = 'x'.repeat(2048 - JSON.stringify(send).length);
  a.say({ ...send, data });
  expect(await b.next('message')).toMatchObject({ data });
  a.say({ ...send, data: `${data}x` });
  expect(await a.closed).toBe(1009);
});

test('what is about other rooms and other members is refused, and the connection goes on', async () => {
  const { url } = await servers.start();
  const [a, b] = [await TestClient.connect(url), await TestClient.connect(url)];
  const { member: alice } = await a.join('here');
  const { member: bob } = await b.join('there');
  a.say({ type: 'send', room: 'here', to: bob, data: 'x' });
  expect(await a.next('error')).toMatchObject({ code: 'no-such-member', room: 'here', to: bob });
  a.say({ type: 'send', room: 'there', to: bob, data: 'x' });
  expect(await a.next('error')).toMatchObject({ code: 'not-a-member', room: 'there', to: bob });
  a.say({ type: 'leave', room: 'there' });
  expect(await a.next('error')).toMatchObject({ code: 'not-a-member', room: 'there' });
  a.say({ type: 'send', room: 'here', to: alice, data: 'me' });
  expect(await a.next('message')).toMatchObject({ from: alice, data: 'me' });
  await b.settled();
  expect(b.heard).toEqual([]);
});

test('joining again on the same connection disturbs nobody; with another proof it is another member', async () => {
  const { url } = await servers.start();
  const [a, b] = [await TestClient.connect(url), await TestClient.connect(url)];
  const { member: alice } = await a.join('r');
  await b.join('r', proof);
  await a.next('entered');
  expect(await b.join('r', proof)).toMatchObject({ member: proof.member, members: [alice] });
  await a.settled();
  expect(a.heard).toEqual([]);
  const { member } = await b.join('r', newProof());
  expect(await a.next('left')).toMatchObject({ member: proof.member });
  expect(await a.next('entered')).toMatchObject({ member });
});

test('a room takes so many members, a connection so many rooms', async () => {
  const { url } = await servers.start({ maxMembersPerRoom: 2, maxRoomsPerSocket: 3 });
  const [a, b, c] = [
    await TestClient.connect(url),
    await TestClient.connect(url),
    await TestClient.connect(url),
  ];
  const alice = newProof();
  await a.join('r', alice);
  await b.join('r');
  c.say({ ...join, type: 'join' });
  expect(await c.next('error')).toMatchObject({ code: 'room-full', room: 'r' });
  // Who is in it already may come again.
  expect(await c.join('r', alice)).toMatchObject({ member: alice.member });

  await c.join('r2');
  await c.join('r3');
  for (let i = 0; i < 100; i++) {
    c.say({ type: 'join', room: `more-${i}`, proof: proof.proof });
    expect(await c.next('error')).toMatchObject({ code: 'too-many-rooms', room: `more-${i}` });
  }
  c.say({ type: 'leave', room: 'r3' });
  expect(await c.join('r4')).toMatchObject({ room: 'r4' });
});

test('a flood of messages, of bytes or of pings ends the connection', async () => {
  const { url, server } = await servers.start({
    messagesPerSecond: 10,
    bytesPerSecond: 10_000,
    burstSeconds: 1,
    maxMessageBytes: 4096,
  });
  const many = await TestClient.connect(url);
  for (let i = 0; i < 30; i++) many.say({ type: 'ping' });
  expect(await many.closed).toBe(1008);
  expect(many.heard.at(-1)).toMatchObject({ type: 'error', code: 'rate-limited' });

  const large = await TestClient.connect(url);
  for (let i = 0; i < 6; i++) large.socket.send(`{"type":"ping","x":"${'x'.repeat(4000)}"}`);
  expect(await large.closed).toBe(1008);

  const pings = await TestClient.connect(url);
  for (let i = 0; i < 30; i++) pings.socket.ping();
  expect(await pings.closed).toBe(1008);
  expect(server.stats().refusals['rate-limited']).toBe(3);
});

test('connections of one address share a rate, which new ones do not refill', async () => {
  const { url } = await servers.start({ messagesPerSecondPerAddress: 10, burstSeconds: 2 });
  const clients = [await TestClient.connect(url), await TestClient.connect(url)];
  for (let i = 0; i < 12; i++) for (const client of clients) client.say({ type: 'ping' });
  expect(await Promise.race(clients.map((client) => client.closed))).toBe(1008);
  expect(await upgradeStatus(url)).toBe(429);
});

test('plain requests are held to the rate of their address, elsewhere than on a port of their own', async () => {
  const { url, metricsUrl } = await servers.start({
    messagesPerSecondPerAddress: 1,
    burstSeconds: 10,
    metricsPort: 0,
  });
  const statuses: number[] = [];
  for (let i = 0; i < 20; i++) {
    statuses.push((await fetch(`${url.replace('ws', 'http')}health`)).status);
    expect((await fetch(metricsUrl!)).status).toBe(200);
  }
  expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 200));
  expect(statuses).toContain(429);
});

test('upgrades are refused by HTTP status: path, subprotocol, origin, and how many there are', async () => {
  const { url, server } = await servers.start({
    path: '/signal',
    origins: ['https://app.example'],
    maxConnections: 3,
    maxConnectionsPerAddress: 2,
    trustedProxies: 1,
  });
  const from = (address: string): { headers: Record<string, string> } => ({
    headers: { 'X-Forwarded-For': address },
  });
  expect(await upgradeStatus(url.replace('/signal', '/other'))).toBe(404);
  expect(await upgradeStatus(url, {}, 'something.else')).toBe(400);
  expect(await upgradeStatus(url, { origin: 'https://evil.example' })).toBe(403);
  expect(await upgradeStatus(url, { origin: 'https://app.example' })).toBe(101);
  expect(await upgradeStatus(`${url}?query=1`)).toBe(101);
  await expect.poll(() => server.stats().connections).toBe(0);
  await TestClient.connect(url, from('192.0.2.1'));
  await TestClient.connect(url, from('192.0.2.1'));
  expect(await upgradeStatus(url, from('192.0.2.1'))).toBe(429);
  const last = await TestClient.connect(url, from('192.0.2.2'));
  expect(await upgradeStatus(url, from('192.0.2.3'))).toBe(503);
  await last.end();
  await expect.poll(() => server.stats().connections).toBe(2);
  expect(await upgradeStatus(url, from('192.0.2.3'))).toBe(101);
  expect(server.stats().upgradesRefused).toEqual({
    path: 1,
    protocol: 1,
    origin: 1,
    address: 1,
    full: 1,
    draining: 0,
  });
});

test('a forwarded address counts only when a proxy is trusted', async () => {
  const { url } = await servers.start({ maxConnectionsPerAddress: 1 });
  await TestClient.connect(url, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
  expect(await upgradeStatus(url, { headers: { 'X-Forwarded-For': '192.0.2.2' } })).toBe(429);
});

test('one address cannot take all sockets by connecting and saying nothing', async () => {
  const { url } = await servers.start({ maxConnectionsPerAddress: 4 });
  const { port, hostname } = new URL(url);
  const sockets = Array.from({ length: 40 }, () => connect(Number(port), hostname));
  let ended = 0;
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.once('close', () => ended++);
    socket.resume();
  }
  await expect.poll(() => ended).toBe(40 - 4 - 16);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => upgradeStatus(url).catch(() => 0)).toBe(101);
});

test('no compression is agreed on', async () => {
  const { url } = await servers.start();
  const client = await TestClient.connect(url, { perMessageDeflate: true });
  expect(client.socket.extensions).toBe('');
});

test('a connection in no room is closed after a while, one in a room is not', async () => {
  const { url, server } = await servers.start({ idleSeconds: 0.1, heartbeatSeconds: 0.1 });
  const [idle, busy] = [await TestClient.connect(url), await TestClient.connect(url)];
  await busy.join('r');
  expect(await idle.closed).toBe(1000);
  await busy.settled();
  expect(busy.socket.readyState).toBe(WebSocket.OPEN);
  busy.say({ type: 'leave', room: 'r' });
  expect(await busy.closed).toBe(1000);
  expect(server.stats().idle).toBe(2);
});
