import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SignalingServer, SignalingServerOptions } from '../../signaling/server.ts';
import { Cli, linesOf } from '../cli/cli.ts';
import { TcpRelay } from '../support/tcp-relay.ts';
import { newProof, type Of, TestClient, TestServers } from './client.ts';
import { NatsServer, natsIsMissing } from './nats-server.ts';

if (natsIsMissing !== false) console.log(`skipped: ${natsIsMissing}`);

const servers = new TestServers();
const brokers: NatsServer[] = [];
const relays: TcpRelay[] = [];
const folder = mkdtempSync(join(tmpdir(), 'emberlink-nats-'));

interface Node {
  readonly url: string;
  readonly server: SignalingServer;
  /** What it has logged, by message. */
  readonly logged: readonly string[];
}

async function startBroker(...flags: string[]): Promise<NatsServer> {
  const nats = await NatsServer.start(...flags);
  brokers.push(nats);
  return nats;
}

async function startNode(brokerUrl: string, options: SignalingServerOptions = {}): Promise<Node> {
  const logged: string[] = [];
  const sink = new Writable({
    write(line: Buffer, _encoding, done) {
      logged.push((JSON.parse(line.toString()) as { msg: string }).msg);
      done();
    },
  });
  const started = await servers.start({
    brokerUrls: [brokerUrl],
    brokerBeatSeconds: 0.2,
    logger: pino(sink),
    ...options,
  });
  return { ...started, logged };
}

async function isUp({ url }: Pick<Node, 'url'>): Promise<boolean> {
  const health = await fetch(`${url.replace('ws', 'http')}health`);
  return ((await health.json()) as { brokerUp: boolean }).brokerUp;
}

async function whenUp(...nodes: Pick<Node, 'url'>[]): Promise<void> {
  for (const node of nodes) await expect.poll(() => isUp(node), { timeout: 10_000 }).toBe(true);
}

/** Several servers that have found the broker. */
async function startNodes(count: number, brokerUrl: string): Promise<Node[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(brokerUrl)));
  await whenUp(...nodes);
  return nodes;
}

async function metric({ url }: Node, name: string): Promise<number> {
  const text = await (await fetch(`${url.replace('ws', 'http')}metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`emberlink_signal_${name}`));
  return Number(line?.split(' ').at(-1));
}

/** The next message of a type; others before it are passed over. */
async function until<T extends 'error' | 'message'>(client: TestClient, type: T): Promise<Of<T>> {
  await expect.poll(() => client.heard.some((each) => each.type === type)).toBe(true);
  while (client.heard[0]!.type !== type) client.heard.shift();
  return client.next(type);
}

afterEach(async () => {
  await servers.close();
  await Promise.all(relays.splice(0).map((relay) => relay.close()));
  await Promise.all(brokers.splice(0).map((nats) => nats.kill()));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(natsIsMissing !== false)('with a real nats-server', () => {
  test('members on three servers hear who comes, what is for them, and who goes', async () => {
    const nats = await startBroker();
    const [east, west, south] = await startNodes(3, nats.url);
    const a = await TestClient.connect(east!.url);
    const b = await TestClient.connect(west!.url);
    const c = await TestClient.connect(south!.url);
    const { member: alice } = await a.join('r');
    const { member: bob } = await b.join('r');
    expect(await a.next('entered')).toMatchObject({ member: bob });
    expect(await b.next('entered')).toMatchObject({ member: alice });
    const { member: carol } = await c.join('r');
    const heard = [await c.next('entered'), await c.next('entered')].map(({ member }) => member);
    expect(heard.sort()).toEqual([alice, bob].sort());
    expect(await a.next('entered')).toMatchObject({ member: carol });
    expect(await b.next('entered')).toMatchObject({ member: carol });

    for (let i = 0; i < 100; i++) {
      a.say({ type: 'send', room: 'r', to: carol, data: `c${i}` });
      a.say({ type: 'send', room: 'r', to: bob, data: `b${i}` });
    }
    for (let i = 0; i < 100; i++) {
      expect(await c.next('message')).toMatchObject({ from: alice, data: `c${i}` });
      expect(await b.next('message')).toMatchObject({ from: alice, data: `b${i}` });
    }
    // A second room on the same servers is another one.
    await b.join('other');
    await c.end();
    expect(await a.next('left')).toMatchObject({ member: carol });
    expect(await b.next('left')).toMatchObject({ member: carol });
    a.say({ type: 'send', room: 'r', to: carol, data: 'x' });
    expect(await a.next('error')).toMatchObject({ code: 'no-such-member', to: carol });
    await a.settled();
    expect(a.heard).toEqual([]);
    expect(await metric(west!, 'broker_received')).toBeGreaterThan(100);
  });

  test('who comes again on another server takes the place of the former self there', async () => {
    const nats = await startBroker();
    const [east, west] = await startNodes(2, nats.url);
    const a = await TestClient.connect(east!.url);
    const bob = newProof();
    let old = await TestClient.connect(east!.url);
    await a.join('r');
    await old.join('r', bob);
    await a.next('entered');
    // To and fro: each time the newer connection has the place, and the older one is told.
    for (const { url } of [west!, east!, west!, west!, east!]) {
      const young = await TestClient.connect(url);
      await young.join('r', bob);
      expect(await until(old, 'error')).toMatchObject({ code: 'replaced' });
      expect(await a.next('entered')).toMatchObject({ member: bob.member });
      a.say({ type: 'send', room: 'r', to: bob.member, data: 'hello' });
      expect(await until(young, 'message')).toMatchObject({ data: 'hello' });
      await old.end();
      old = young;
    }
    await a.settled();
    expect(a.heard).toEqual([]);
  });

  test('a broker killed while clients talk: rooms go on within a server, and heal', async () => {
    const nats = await startBroker();
    const [east, west] = await startNodes(2, nats.url);
    const [a, b] = [await TestClient.connect(east!.url), await TestClient.connect(east!.url)];
    const [c, d] = [await TestClient.connect(west!.url), await TestClient.connect(west!.url)];
    const [carol, dave] = [newProof(), newProof()];
    const { member: alice } = await a.join('r');
    await c.join('r', carol);
    await c.next('entered');
    await a.next('entered');
    await d.join('r', dave);
    await c.next('entered');
    await a.next('entered');
    const { member: bob } = await b.join('r');
    for (const client of [a, c, d]) {
      expect(await client.next('entered')).toMatchObject({ member: bob });
    }
    d.heard.length = 0;

    await nats.kill();
    // Messages to members on the same server never notice.
    for (let i = 0; i < 20; i++) a.say({ type: 'send', room: 'r', to: bob, data: `m${i}` });
    for (let i = 0; i < 20; i++) {
      expect(await b.next('message')).toMatchObject({ from: alice, data: `m${i}` });
    }
    const left = [await a.next('left'), await a.next('left')].map(({ member }) => member);
    expect(left.sort()).toEqual([carol.member, dave.member].sort());
    expect(await isUp(east!)).toBe(false);
    expect(await metric(east!, 'broker_up')).toBe(0);
    expect(await metric(east!, 'broker_dropped')).toBeGreaterThan(0);
    expect(east!.logged).toContain('broker lost; rooms are of this server alone');
    await b.next('left');
    await b.next('left');
    b.say({ type: 'send', room: 'r', to: carol.member, data: 'x' });
    expect(await b.next('error')).toMatchObject({ code: 'no-such-member' });
    await c.next('left');
    await c.next('left');
    await d.next('left');
    await d.next('left');

    // Meanwhile carol moves to the other server, without the old one knowing, and dave goes.
    const young = await TestClient.connect(east!.url);
    await young.join('r', carol);
    expect(await a.next('entered')).toMatchObject({ member: carol.member });
    await d.end();
    expect(await c.next('left')).toMatchObject({ member: dave.member });

    await nats.start();
    expect(await c.next('entered')).toBeDefined();
    await c.next('entered');
    expect(await c.next('error')).toMatchObject({ code: 'replaced' });
    await a.settled();
    expect(a.heard).toEqual([]);
    await whenUp(east!, west!);
    // Both servers hold the truth now: a newcomer at either sees it.
    for (const { url } of [east!, west!]) {
      const e = await TestClient.connect(url);
      const { member, members } = await e.join('r');
      const there = (): Set<string> => {
        const seen = new Set(members);
        for (const message of e.heard) {
          if (message.type === 'entered') seen.add(message.member);
          // The newcomer before this one may be there a little longer for the other server.
          if (message.type === 'left') seen.delete(message.member);
        }
        return seen;
      };
      await expect.poll(there).toEqual(new Set([alice, bob, carol.member]));
      expect(await a.next('entered')).toMatchObject({ member });
      await e.end();
      expect(await a.next('left')).toMatchObject({ member });
    }
    expect(east!.server.stats()).toMatchObject({ connections: 3, members: 3 });
  });

  test('members of a server that is killed have left on the others; it may come back', async () => {
    const nats = await startBroker();
    const [east] = await startNodes(1, nats.url);
    const cli = await Cli.build('signal-nats');
    try {
      const start = async (): Promise<{ url: string; kill(): void }> => {
        const child = cli.start(
          ...`signal --host 127.0.0.1 --port 0 --broker-urls ${nats.url}`.split(' '),
          '--broker-beat-seconds',
          '0.2',
        );
        child.stderr.resume();
        const nextLine = linesOf(child);
        for (;;) {
          const { msg, url } = JSON.parse(await nextLine()) as { msg: string; url: string };
          if (msg === 'listening') return { url, kill: () => child.kill('SIGKILL') };
        }
      };
      const west = await start();
      await whenUp(west);
      const a = await TestClient.connect(east!.url);
      await a.join('r');
      const bob = newProof();
      const b = await TestClient.connect(west.url);
      await b.join('r', bob);
      await b.next('entered');
      expect(await a.next('entered')).toMatchObject({ member: bob.member });
      west.kill();
      expect(await b.closed).toBe(1006);
      expect(await a.next('left')).toMatchObject({ member: bob.member });
      a.say({ type: 'send', room: 'r', to: bob.member, data: 'x' });
      expect(await a.next('error')).toMatchObject({ code: 'no-such-member' });

      const again = await start();
      await whenUp(again);
      const young = await TestClient.connect(again.url);
      await young.join('r', bob);
      expect(await a.next('entered')).toMatchObject({ member: bob.member });
    } finally {
      await cli.remove();
    }
  });

  test.each(['stall', 'cut'] as const)(
    'a netsplit (%s) takes members from each other, and gives them back',
    async (how) => {
      const nats = await startBroker();
      const relay = await TcpRelay.open(nats.port);
      relays.push(relay);
      const east = await startNode(nats.url);
      const west = await startNode(`nats://127.0.0.1:${relay.port}`);
      await whenUp(east, west);
      const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
      const { member: alice } = await a.join('r');
      const { member: bob } = await b.join('r');
      await a.next('entered');
      await b.next('entered');
      relay[how]();
      expect(await a.next('left')).toMatchObject({ member: bob });
      expect(await b.next('left')).toMatchObject({ member: alice });
      relay.mend();
      expect(await a.next('entered')).toMatchObject({ member: bob });
      expect(await b.next('entered')).toMatchObject({ member: alice });
      a.say({ type: 'send', room: 'r', to: bob, data: 'again' });
      expect(await b.next('message')).toMatchObject({ from: alice, data: 'again' });
    },
  );

  test('what a broker that does not keep up cannot take is dropped, and the rest arrives', async () => {
    const nats = await startBroker();
    const relay = await TcpRelay.open(nats.port);
    relays.push(relay);
    const options = {
      brokerBeatSeconds: 60,
      messagesPerSecond: 10_000,
      bytesPerSecond: 2 ** 30,
      bytesPerSecondPerAddress: 2 ** 30,
      maxUnsentBytes: 2 ** 26,
    };
    const east = await startNode(`nats://127.0.0.1:${relay.port}`, options);
    const west = await startNode(nats.url, options);
    await whenUp(east, west);
    const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
    await a.join('r');
    const { member: bob } = await b.join('r');
    await a.next('entered');
    await b.next('entered');
    relay.stall();
    const [count, data] = [200, 'x'.repeat(60_000)];
    for (let i = 0; i < count; i++) a.say({ type: 'send', room: 'r', to: bob, data });
    await a.settled();
    const dropped = await metric(east, 'broker_dropped');
    // 8 MiB of them were let through.
    expect(dropped).toBeGreaterThan(40);
    relay.mend();
    for (let i = 0; i < count - dropped; i++) await b.next('message');
    const sayAgain = (): number => {
      a.say({ type: 'send', room: 'r', to: bob, data: 'after' });
      return b.heard.length;
    };
    await expect.poll(sayAgain).toBeGreaterThan(0);
    expect(await b.next('message')).toMatchObject({ data: 'after' });
  });

  test('a server starts without its broker, and finds it when it comes', async () => {
    const nats = await NatsServer.away();
    brokers.push(nats);
    const east = await startNode(nats.url);
    const west = await startNode(nats.url);
    const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
    const { member: alice } = await a.join('r');
    const { member: bob } = await b.join('r');
    await expect.poll(() => east.logged).toContain('no broker');
    await nats.start();
    expect(await a.next('entered')).toMatchObject({ member: bob });
    expect(await b.next('entered')).toMatchObject({ member: alice });
    expect(east.logged.filter((line) => line === 'no broker')).toHaveLength(1);
  });

  test('a server that stops says that its members have left', async () => {
    const nats = await startBroker();
    // No beat tells of it within the time of this test.
    const options = { brokerBeatSeconds: 60 };
    const east = await startNode(nats.url, options);
    const west = await startNode(nats.url, options);
    await whenUp(east, west);
    const [a, b] = [await TestClient.connect(east.url), await TestClient.connect(west.url)];
    await a.join('r');
    const { member: bob } = await b.join('r');
    await a.next('entered');
    await west.server.close();
    expect(await a.next('left')).toMatchObject({ member: bob });
  });

  test('what strangers publish on the subjects is passed over, and counted', async () => {
    const nats = await startBroker();
    const [east] = await startNodes(1, nats.url);
    const a = await TestClient.connect(east!.url);
    const { member: alice } = await a.join('r');
    const stranger = await connect({ servers: [`127.0.0.1:${nats.port}`] });
    const room = 'emberlink.signal.1.room.r';
    const server = 's'.repeat(22);
    const member = 'm'.repeat(22);
    const malformed = [
      '',
      'null',
      '{"type":"who"}',
      JSON.stringify({ type: 'entered', server, member: 'short', at: 1 }),
      JSON.stringify({ type: 'entered', server, member, at: (Date.now() + 1e7) * 1000 }),
      JSON.stringify({ type: 'message', server, from: member, to: alice, data: 'no base64url!' }),
      JSON.stringify({ type: 'message', server, from: member, to: alice, data: 'x'.repeat(1e5) }),
    ];
    for (const text of malformed) stranger.publish(room, text);
    // Well formed, but from one who is not there; to a subject that nobody follows; and an old claim.
    const from = { type: 'message', server, from: member, to: alice, data: 'x' };
    stranger.publish(room, JSON.stringify(from));
    stranger.publish('emberlink.signal.1.room.other', JSON.stringify(from));
    stranger.publish(room, JSON.stringify({ type: 'entered', server, member: alice, at: 1 }));
    stranger.publish('emberlink.signal.1.servers', 'x');
    stranger.publish(
      room,
      JSON.stringify({ type: 'entered', server, member, at: Date.now() * 1000 }),
    );
    await stranger.flush();
    expect(await a.next('entered')).toMatchObject({ member });
    expect(await metric(east!, 'broker_malformed')).toBe(malformed.length + 1);
    // It never says that it is alive: whoever it claimed is gone.
    expect(await a.next('left')).toMatchObject({ member });
    await stranger.close();
  });

  describe('with credentials', () => {
    const cert = join(folder, 'cert.pem');
    const key = join(folder, 'key.pem');

    beforeAll(() => {
      const files = ['-nodes', '-keyout', key, '-out', cert, '-newkey', 'rsa:2048'];
      const subject = ['-subj', '/CN=nats', '-addext', 'subjectAltName=DNS:localhost'];
      execFileSync('openssl', ['req', '-x509', '-days', '1', ...files, ...subject], {
        stdio: 'ignore',
      });
    });

    test('by URL or file, for a token or a user; wrong ones are logged, and tried again', async () => {
      const byToken = await startBroker('--auth', 'a:token');
      const tokenFile = join(folder, 'token');
      writeFileSync(tokenFile, 'atoken\n');
      const plain = await startBroker('--auth', 'atoken');
      await whenUp(
        await startNode(plain.url, { brokerCredentialsFile: tokenFile }),
        await startNode(plain.url.replace('//', '//atoken@')),
      );
      const byUser = await startBroker('--user', 'ember', '--pass', 'p@ss:word');
      const userFile = join(folder, 'user');
      writeFileSync(userFile, 'ember:p@ss:word');
      await whenUp(
        await startNode(byUser.url, { brokerCredentialsFile: userFile }),
        await startNode(byUser.url.replace('//', '//ember:p%40ss%3Aword@')),
      );
      const wrong = await startNode(byToken.url.replace('//', '//guess@'));
      await expect.poll(() => wrong.logged).toContain('no broker');
      expect(await isUp(wrong)).toBe(false);
      const client = await TestClient.connect(wrong.url);
      await client.join('r');
      expect(wrong.logged.join()).not.toContain('guess');
    });

    test('over TLS with certificates on both sides', async () => {
      const tls = ['--tls', '--tlscert', cert, '--tlskey', key, '--tlsverify', '--tlscacert', cert];
      const nats = await startBroker(...tls);
      // The client checks names, not addresses.
      const url = `tls://localhost:${nats.port}`;
      const good = { brokerTlsCaFile: cert, brokerTlsCertFile: cert, brokerTlsKeyFile: key };
      await whenUp(await startNode(url, good));
      const stranger = await startNode(url, { brokerTlsCaFile: cert });
      await expect.poll(() => stranger.logged, { timeout: 10_000 }).toContain('no broker');
      expect(await isUp(stranger)).toBe(false);
    });
  });
});
