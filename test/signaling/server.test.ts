import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as requestTls } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, afterEach, expect, test } from 'vitest';
import { SIGNALING_PROTOCOL } from '../../signaling/messages.ts';
import { createSignalingServer } from '../../signaling/server.ts';
import { newProof, TestClient, TestServers, upgradeStatus } from './client.ts';

const servers = new TestServers();
const folder = mkdtempSync(join(tmpdir(), 'emberlink-signaling-'));

afterEach(() => servers.close());
afterAll(() => rmSync(folder, { recursive: true }));

/** A WebSocket client by hand, which answers nothing: after the handshake it is a bare TCP stream. */
async function rawClient(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
      `Sec-WebSocket-Protocol: ${SIGNALING_PROTOCOL}\r\n\r\n`,
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 101 /);
  return socket;
}

/** A text frame as a client sends it, with a mask of zeros. */
function maskedFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** The files of a certificate for 127.0.0.1 that nobody else has signed. */
function selfSigned(): { readonly tlsCertFile: string; readonly tlsKeyFile: string } {
  const [tlsCertFile, tlsKeyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const files = ['-keyout', tlsKeyFile, '-out', tlsCertFile];
  execFileSync('openssl', ['req', '-x509', '-days', '1', ...key, ...subject, ...files], {
    stdio: 'ignore',
  });
  return { tlsCertFile, tlsKeyFile };
}

test("an app has its pages on the same port, beside what is the server's own", async () => {
  const { url } = await servers.start({
    path: '/signal',
    pages: (request, response) => response.end(`page ${request.url}`),
  });
  const base = url.replace('ws', 'http').replace('/signal', '');
  const page = await fetch(`${base}/pair/?list=one`);
  expect([page.status, await page.text()]).toEqual([200, 'page /pair/?list=one']);
  expect((await fetch(`${base}/health`)).headers.get('content-type')).toBe('application/json');
  expect((await fetch(`${base}/signal`)).status).toBe(426);
  expect((await fetch(`${base}/pair/`, { method: 'POST' })).status).toBe(405);
  await TestClient.connect(url);
});

test('TURN credentials are those that coturn works out from the shared secret', async () => {
  const turnUrls = ['turn:turn.example:3478', 'turns:turn.example:5349?transport=tcp'];
  const { url } = await servers.start({
    stunUrls: ['stun:stun.example:3478'],
    turnUrls,
    turnSecret: 'north',
    turnTtlSeconds: 600,
  });
  const client = await TestClient.connect(url);
  const beforeSeconds = Math.floor(Date.now() / 1000);
  const { member, iceServers, iceTtlSeconds } = await client.join('r');
  const [stun, turn] = iceServers!;
  expect(iceServers).toHaveLength(2);
  expect(stun).toEqual({ urls: ['stun:stun.example:3478'] });
  const [expiry, user] = turn!.username!.split(':');
  expect(user).toBe(member);
  expect(Number(expiry) - 600).toBeGreaterThanOrEqual(beforeSeconds);
  expect(Number(expiry) - 600).toBeLessThanOrEqual(Date.now() / 1000);
  const credential = createHmac('sha1', 'north').update(turn!.username!).digest('base64');
  expect(turn).toEqual({ urls: turnUrls, username: turn!.username, credential });
  expect(iceTtlSeconds).toBe(600);
});

test('a server without STUN and TURN tells of none', async () => {
  const { url } = await servers.start();
  const joined = await (await TestClient.connect(url)).join('r');
  expect([joined.iceServers, joined.iceTtlSeconds]).toEqual([undefined, undefined]);
});

test('over TLS, with a certificate of its own', async () => {
  const { tlsCertFile, tlsKeyFile } = selfSigned();
  const { url } = await servers.start({ tlsCertFile, tlsKeyFile });
  expect(url).toMatch(/^wss:/);
  const ca = readFileSync(tlsCertFile);
  const client = await TestClient.connect(url, { ca });
  await client.join('r');
  await expect(TestClient.connect(url)).rejects.toThrow(/self-signed/);

  const health = requestTls(`${url.replace('wss', 'https')}health`, { ca }).end();
  const [response] = (await once(health, 'response')) as [{ statusCode: number }];
  expect(response.statusCode).toBe(200);

  const noKey = servers.start({ tlsCertFile, tlsKeyFile: tlsCertFile });
  await expect(noKey).rejects.toMatchObject({ code: 'unreadable-file', setting: 'tlsKeyFile' });
});

test('stopping tells clients when to come back, lets them go on meanwhile, and closes with 1012', async () => {
  const { url, server } = await servers.start({ drainSeconds: 0.5, retryMs: 1234 });
  const [a, b] = [await TestClient.connect(url), await TestClient.connect(url)];
  const { member } = await a.join('r');
  await b.join('r');
  await a.next('entered');
  const closed = server.close();
  expect(await a.next('drain')).toEqual({ type: 'drain', retryMs: 1234 });
  await b.next('drain');
  expect(await upgradeStatus(url)).toBe(503);
  const health = await fetch(`${url.replace('ws', 'http')}health`);
  expect([health.status, await health.json()]).toMatchObject([503, { status: 'draining' }]);
  b.say({ type: 'send', room: 'r', to: member, data: 'last' });
  expect(await a.next('message')).toMatchObject({ data: 'last' });
  b.say({ type: 'join', room: 'late', proof: newProof().proof });
  expect(await b.next('error')).toMatchObject({ code: 'unavailable', room: 'late' });
  expect(await a.closed).toBe(1012);
  expect(await b.closed).toBe(1012);
  await closed;
  await expect(TestClient.connect(url)).rejects.toThrow('ECONNREFUSED');
});

test('stopping waits no longer than until all clients have left', async () => {
  const { url, server } = await servers.start({ drainSeconds: 3600 });
  const client = await TestClient.connect(url);
  const closed = server.close();
  await client.next('drain');
  client.socket.close();
  await closed;
});

test('stopping does not wait for clients that do not answer', async () => {
  const { url, server } = await servers.start();
  const mute = await rawClient(url);
  const gone = once(mute, 'close');
  await server.close();
  mute.resume();
  await gone;
});

test('stopping does not wait for those who connected and said nothing', async () => {
  const { tlsCertFile, tlsKeyFile } = selfSigned();
  const secure = await servers.start({ tlsCertFile, tlsKeyFile, metricsPort: 0 });
  const plain = await servers.start();
  const ends: Promise<unknown>[] = [];
  for (const { url } of [secure, plain, { url: secure.metricsUrl! }]) {
    const { port, hostname } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    await once(socket, 'connect');
    ends.push(once(socket.resume(), 'close'));
  }
  await servers.close();
  await Promise.all(ends);
  // Less than the time that a TLS handshake may take.
}, 8000);

test('a slow reader is ended when too much is unsent, and others are served meanwhile', async () => {
  const { url, server } = await servers.start({
    maxUnsentBytes: 256 * 1024,
    messagesPerSecond: 1_000_000,
    bytesPerSecond: 2 ** 30,
    messagesPerSecondPerAddress: 1_000_000,
    bytesPerSecondPerAddress: 2 ** 30,
  });
  const [a, b] = [await TestClient.connect(url), await TestClient.connect(url)];
  const slow = await rawClient(url);
  const { proof, member } = newProof();
  await a.join('r');
  const bob = await b.join('r');
  await a.next('entered');
  slow.write(maskedFrame(JSON.stringify({ type: 'join', room: 'r', proof })));
  await a.next('entered');
  await b.next('entered');
  slow.pause();

  const data = 'x'.repeat(60_000);
  const before = process.memoryUsage().rss;
  let most = 0;
  let sent = 0;
  while (server.stats().slowReaders === 0) {
    a.say({ type: 'send', room: 'r', to: member, data });
    a.say({ type: 'send', room: 'r', to: bob.member, data: `n${sent++}` });
    expect(await b.next('message')).toMatchObject({ data: `n${sent - 1}` });
    most = Math.max(most, process.memoryUsage().rss - before);
    // What the operating system's buffers take is some megabytes.
    expect(sent).toBeLessThan(2000);
  }
  expect(most).toBeLessThan(100 * 2 ** 20);
  await expect.poll(() => a.heard.some(({ type }) => type === 'left')).toBe(true);
  expect(await b.next('left')).toMatchObject({ member });
});

test('a connection that answers no ping is ended, and its room hears that it left', async () => {
  const { url, server } = await servers.start({ heartbeatSeconds: 0.2 });
  const honest = await TestClient.connect(url);
  await honest.join('r');
  const halfOpen = await rawClient(url);
  const gone = once(halfOpen, 'close');
  const { proof, member } = newProof();
  halfOpen.write(maskedFrame(JSON.stringify({ type: 'join', room: 'r', proof })));
  expect(await honest.next('entered')).toMatchObject({ member });
  expect(await honest.next('left')).toMatchObject({ member });
  halfOpen.resume();
  await gone;
  expect(server.stats()).toMatchObject({ halfOpen: 1, connections: 1 });
  await honest.settled();
});

test('/health and /metrics tell how the server is, and nothing of who is there', async () => {
  const { url, server } = await servers.start();
  const base = url.replace('ws', 'http');
  const a = await TestClient.connect(url);
  const { member } = await a.join('secret-room');
  a.say({ type: 'send', room: 'secret-room', to: member, data: 'abc' });
  await a.next('message');
  a.say({ type: 'send', room: 'other', to: member, data: 'abc' });
  await a.next('error');
  const health = await fetch(`${base}health`);
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({ status: 'ok', connections: 1, rooms: 1, members: 1 });
  const metrics = await (await fetch(`${base}metrics`)).text();
  for (const line of [
    'emberlink_signal_connections 1',
    'emberlink_signal_rooms 1',
    'emberlink_signal_messages_relayed_total 1',
    'emberlink_signal_relayed_bytes_total 3',
    'emberlink_signal_refusals_total{code="not-a-member"} 1',
    'emberlink_signal_slow_readers_total 0',
  ]) {
    expect(metrics.split('\n')).toContain(line);
  }
  expect(metrics).not.toContain('secret-room');
  expect(metrics).not.toContain(member);
  expect((await fetch(base)).status).toBe(426);
  expect((await fetch(`${base}nothing`)).status).toBe(404);
  expect((await fetch(base, { method: 'POST' })).status).toBe(405);
  expect(server.stats().failures).toBe(0);
});

test('/metrics may ask for a token, or have a port of its own', async () => {
  const metricsToken = 'a token for metrics';
  const { url, metricsUrl } = await servers.start({ metricsPort: 0, metricsToken });
  expect((await fetch(`${url.replace('ws', 'http')}metrics`)).status).toBe(404);
  expect((await fetch(metricsUrl!)).status).toBe(401);
  const wrong = await fetch(metricsUrl!, { headers: { Authorization: 'Bearer other' } });
  expect(wrong.status).toBe(401);
  const right = await fetch(metricsUrl!, { headers: { Authorization: `Bearer ${metricsToken}` } });
  expect(right.status).toBe(200);
  expect((await fetch(metricsUrl!.replace('metrics', 'health'))).status).toBe(200);
});

test('logs hold no data, no token, no proof, and above debug no full address', async () => {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const token = 'token-that-nobody-sees';
  const logger = pino({ level: 'debug' }, sink);
  const { url, server } = await servers.start({ auth: 'token', token, trustedProxies: 1, logger });
  const headers = { 'X-Forwarded-For': '203.0.113.77' };
  const client = await TestClient.connect(url, { headers });
  const { proof } = newProof();
  const { member } = await client.join('r', { proof, member: '' }, token);
  client.say({ type: 'send', room: 'r', to: member, data: 'data-that-nobody-sees' });
  await client.next('message');
  client.say({ type: 'join', room: 'r', proof, token: `wrong-${token}` });
  await client.next('error');
  client.socket.send('malformed-that-nobody-sees');
  await client.closed;
  await server.close();
  const all = lines.join('');
  expect(all).toContain('refused and closed');
  expect(all).not.toContain('nobody-sees');
  expect(all).not.toContain(proof);
  const entries = lines.map((line) => JSON.parse(line) as { level: number });
  const visible = lines.filter((_, i) => entries[i]!.level >= 30).join('');
  expect(visible).toContain('203.0.113.0/24');
  expect(visible).not.toContain('203.0.113.77');
});

test('a port that is taken, and listening twice, are errors with a code', async () => {
  const { url, server } = await servers.start();
  const port = Number(new URL(url).port);
  await expect(servers.start({ port })).rejects.toMatchObject({ code: 'address-in-use' });
  await expect(server.listen()).rejects.toMatchObject({ code: 'wrong-state' });
  await expect(servers.start({ metricsPort: port })).rejects.toMatchObject({
    code: 'address-in-use',
  });
  await expect(servers.start({ host: '192.0.2.1' })).rejects.toMatchObject({
    code: 'cannot-listen',
  });
  const unused = createSignalingServer({ logLevel: 'silent' });
  await unused.close();
  await expect(unused.listen()).rejects.toMatchObject({ code: 'wrong-state' });
});
