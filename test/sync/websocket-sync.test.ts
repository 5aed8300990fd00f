/** connectWebSocket and serveWebSocket at their public faces: real ledgers, real sockets. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import {
  connectWebSocket,
  createRoomSecret,
  openLedger,
  type Ledger,
  type WebSocketSync,
  type WebSocketSyncOptions,
} from '../../src/index.ts';
import {
  serveWebSocket,
  type Applicant,
  type ServeWebSocketOptions,
  type ServedRoomOptions,
  type SyncClient,
  type SyncServer,
} from '../../src/server.ts';
import { memoryLedger } from '../ledger/support.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { outcome } from '../protocol/wire.ts';
import { forSeeds, type Random } from '../support/random.ts';
import { TcpRelay } from '../support/tcp-relay.ts';
import { arrived, ended, expectEqual, fill, statusWhere, underWay } from './support.ts';

const secret = createRoomSecret();

async function serve(
  source: Parameters<typeof serveWebSocket>[0],
  options: ServeWebSocketOptions & ServedRoomOptions = {},
): Promise<SyncServer> {
  const server = await serveWebSocket(source, options);
  onTestFinished(() => server.close());
  return server;
}

function connect(ledger: Ledger, url: string, options: WebSocketSyncOptions = {}): WebSocketSync {
  const sync = connectWebSocket(ledger, url, options);
  onTestFinished(() => sync.destroy());
  return sync;
}

/** What the server tells of the first client of which the test holds. */
function clientWhere(
  server: SyncServer,
  test: (client: SyncClient) => boolean,
): Promise<SyncClient> {
  return new Promise((resolve) => {
    const unsubscribe = server.subscribe((client) => {
      if (!test(client)) return;
      unsubscribe();
      resolve(client);
    });
  });
}

const clientGone = (server: SyncServer): Promise<SyncClient> =>
  clientWhere(server, ({ status }) => status.state === 'closed');

describe('a client of a server', () => {
  it('gets what the server has, gives what it has, and every write flows', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'from-alice', n: 1 });
    await bob.put({ _id: 'from-bob', n: 2 });
    const server = await serve(alice, { secret });
    const sync = connect(bob, server.url, { secret });
    expect(sync.status).toEqual({ state: 'connecting' });
    expect(await sync.backlog()).toEqual({ ok: true });
    await expectEqual(alice, bob);
    expect(sync.access).toBe('write');

    await bob.put({ _id: 'live', by: 'bob' });
    await sync.synced();
    expect(await alice.get('live')).toEqual({ _id: 'live', by: 'bob' });
    await alice.put({ _id: 'answer', by: 'alice' });
    await arrived(bob, 'answer');

    await bob.put({ _id: 'last words' });
    await sync.close();
    expect(sync.status).toEqual({ state: 'closed' });
    expect(await alice.get('last words')).toEqual({ _id: 'last words' });
  });

  it('gets 50,000 documents, compressed or not', { timeout: 120_000 }, async () => {
    const alice = await memoryLedger('alice');
    for (let batch = 0; batch < 50; batch++) {
      const documents = Array.from({ length: 1000 }, (_, i) => ({
        _id: `city:${batch * 1000 + i}`,
        name: `Village ${i} of ${batch}`,
        inhabitants: i * batch,
        tags: ['small', 'quiet'],
      }));
      await alice.bulk(documents);
    }
    const server = await serve(alice, { secret });
    for (const compression of ['never', 'always'] as const) {
      const bob = await memoryLedger(`bob-${compression}`);
      const sync = connect(bob, server.url, { secret, compression });
      await sync.backlog();
      expect(bob.count()).toBe(50_000);
      await expectEqual(alice, bob);
      await sync.close();
    }
  });

  it('hears through the server what other clients write', async () => {
    const [alice, bob, carol] = [
      await memoryLedger('alice'),
      await memoryLedger('bob'),
      await memoryLedger('carol'),
    ];
    const server = await serve(alice, { secret });
    await Promise.all([bob, carol].map((each) => connect(each, server.url, { secret }).backlog()));
    await bob.put({ _id: 'news', by: 'bob' });
    await arrived(carol, 'news');
    await expectEqual(bob, carol);
    expect(server.clients.map(({ status }) => status.state)).toEqual(['live', 'live']);
  });

  it('works by TLS', async () => {
    const folder = temporaryFolder();
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const files = ['-nodes', '-keyout', key, '-out', cert, '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...subject], { stdio: 'ignore' });
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'secret', n: 1 });
    const tls = { key: readFileSync(key), cert: readFileSync(cert) };
    const server = await serve(alice, { secret, tls });
    expect(server.url).toMatch(/^wss:/);
    class Trusting extends NodeWebSocket {
      constructor(url: string, protocols: string[], options: object) {
        super(url, protocols, { ...options, ca: tls.cert });
      }
    }
    const WebSocket = Trusting as unknown as NonNullable<WebSocketSyncOptions['WebSocket']>;
    await connect(bob, server.url, { secret, WebSocket }).backlog();
    await expectEqual(alice, bob);

    const stranger = connect(bob, server.url, { secret, reconnect: false });
    expect(await ended(stranger)).toMatchObject({ code: 'connect-failed' });
  });

  it('chooses among the rooms of a server by name and secret', async () => {
    const [garden, cellar, bob] = [
      await memoryLedger('garden'),
      await memoryLedger('cellar'),
      await memoryLedger('bob'),
    ];
    await garden.put({ _id: 'rose' });
    await cellar.put({ _id: 'wine' });
    const server = await serve(
      new Map([
        ['garden', { ledger: garden, secret }],
        ['cellar', { ledger: cellar, secret: createRoomSecret() }],
      ]),
    );
    await connect(bob, server.url, { room: 'garden', secret }).backlog();
    expect(await bob.get('rose')).toBeDefined();
    expect(await bob.get('wine')).toBeUndefined();
    const [inGarden] = server.clients;
    expect(inGarden).toMatchObject({ room: 'garden', access: 'write', address: '127.0.0.1' });
  });
});

describe('a client that is not let in', () => {
  async function refusedBy(
    options: ServeWebSocketOptions & ServedRoomOptions,
    own: WebSocketSyncOptions,
  ): Promise<{ atClient: Error | undefined; atServer: Error | undefined }> {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await alice.put({ _id: 'from-alice' });
    await bob.put({ _id: 'from-bob' });
    const server = await serve(alice, options);
    const gone = clientGone(server);
    const sync = connect(bob, server.url, own);
    const waiting = [sync.connected(), sync.synced(), sync.backlog()].map(outcome);
    const atClient = await ended(sync);
    for (const error of await Promise.all(waiting)) expect(error).toBe(atClient);
    const { status } = await gone;
    expect([alice.count(), bob.count()]).toEqual([1, 1]);
    expect(server.clients).toEqual([]);
    return { atClient, atServer: status.state === 'closed' ? status.error : undefined };
  }

  it('hears wrong-secret, like the server, and does not try again', async () => {
    const { atClient, atServer } = await refusedBy({ secret }, { secret: createRoomSecret() });
    for (const error of [atClient, atServer]) {
      expect(error).toMatchObject({ name: 'RoomError', code: 'wrong-secret' });
    }
  });

  it('hears wrong-secret also without one, and by a passphrase that is another', async () => {
    const { atClient } = await refusedBy({ secret }, {});
    expect(atClient).toMatchObject({ code: 'wrong-secret' });
    const other = await refusedBy({ secret: 'open sesame' }, { secret: 'open poppy' });
    expect(other.atClient).toMatchObject({ code: 'wrong-secret' });
  });

  it('hears refused when the room is another one', async () => {
    const { atClient } = await refusedBy({ secret }, { secret, room: 'elsewhere' });
    expect(atClient).toMatchObject({ name: 'RoomError', code: 'refused' });
  });

  it('hears unauthorized when the server says so, which knows what it showed', async () => {
    const seen: Applicant[] = [];
    const authorize = (applicant: Applicant): boolean => {
      seen.push(applicant);
      return false;
    };
    const { atClient } = await refusedBy({ secret, authorize }, { secret, token: 'ticket 7' });
    expect(atClient).toMatchObject({ name: 'RoomError', code: 'unauthorized' });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ room: 'emberlink', token: 'ticket 7', address: '127.0.0.1' });
    expect(seen[0]!.request.headers.upgrade).toBe('websocket');
  });

  it('refuses options that cannot work', async () => {
    const bob = await memoryLedger('bob');
    expect(() => connectWebSocket(bob, 'http://127.0.0.1')).toThrow(
      expect.objectContaining({ name: 'RoomError', code: 'invalid-option' }),
    );
    expect(await ended(connect(bob, 'ws://127.0.0.1:1', { secret: '' }))).toMatchObject({
      code: 'invalid-option',
    });
    await expect(serveWebSocket(bob, { secret: new Uint8Array(3) })).rejects.toMatchObject({
      code: 'invalid-option',
    });
    const server = await serve(bob);
    await expect(serveWebSocket(bob, { port: server.port })).rejects.toMatchObject({
      name: 'ConnectionError',
      code: 'connect-failed',
    });
  });
});

describe('a client that may only read', () => {
  it('gets all that there is and all that comes; nothing of it is taken', async () => {
    const [alice, bob, carol] = [
      await memoryLedger('alice'),
      await memoryLedger('bob'),
      await memoryLedger('carol'),
    ];
    await alice.put({ _id: 'first' });
    const server = await serve(alice, {
      secret,
      authorize: ({ token }) => (token === 'writer' ? 'write' : 'read'),
    });
    const reader = connect(bob, server.url, { secret, reconnect: false });
    await reader.backlog();
    expect(reader.access).toBe('read');
    await connect(carol, server.url, { secret, token: () => 'writer' }).backlog();
    await carol.put({ _id: 'second' });
    await arrived(bob, 'second');

    await bob.put({ _id: 'graffiti' });
    await expect(reader.synced()).rejects.toMatchObject({ code: 'read-only' });
    await alice.put({ _id: 'third' });
    await arrived(bob, 'third');
    expect(reader.status.state).toBe('live');
    expect(await alice.get('graffiti')).toBeUndefined();
    expect(alice.count()).toBe(3);
  });
});

describe('a connection that is lost', () => {
  it('comes back when the server does, and brings what was written meanwhile', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const first = await serve(alice, { secret });
    const { port } = first;
    const sync = connect(bob, first.url, { secret });
    await sync.backlog();

    let written = 0;
    const writing = setInterval(() => {
      void bob.put({ _id: `doc:${written++}` });
    }, 5);
    onTestFinished(() => clearInterval(writing));
    await first.close();
    const waiting = await statusWhere(sync, ({ state }) => state === 'waiting');
    expect(waiting).toMatchObject({ state: 'waiting' });
    await alice.put({ _id: 'meanwhile' });
    await serve(alice, { secret, port });
    await arrived(bob, 'meanwhile');
    clearInterval(writing);
    await sync.synced();
    expect(alice.count()).toBe(written + 1);
    await expectEqual(alice, bob);
  });

  it('loses nothing by cuts at any moment of a first sync and of live writes', async () => {
    await forSeeds(1, async (random: Random) => {
      const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
      await fill(alice);
      const server = await serve(alice, { secret });
      const relay = await TcpRelay.open(server.port);
      onTestFinished(() => relay.close());
      const sync = connect(bob, `ws://127.0.0.1:${relay.port}`, { secret });
      const cuts = async (): Promise<void> => {
        for (let i = 0; i < 6; i++) {
          await sync.connected();
          await new Promise((resolve) => setTimeout(resolve, random.below(60)));
          relay.reset();
          await Promise.all([
            bob.put({ _id: `bob:${i}` }),
            alice.put({ _id: `alice:${i}`, data: new Uint8Array(10_000) }),
          ]);
        }
      };
      await cuts();
      await sync.synced();
      await sync.backlog();
      await expectEqual(alice, bob);
      expect(bob.count()).toBe(132);
    });
  }, 60_000);

  it('is tried again at once when the machine has a network again', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const server = await serve(alice, { secret });
    const relay = await TcpRelay.open(server.port);
    await relay.close();
    const page = new EventTarget();
    vi.stubGlobal('window', page);
    onTestFinished(() => void vi.unstubAllGlobals());

    const sync = connect(bob, `ws://127.0.0.1:${relay.port}`, { secret });
    const retries: number[] = [];
    sync.subscribe((status) => {
      if (status.state !== 'waiting') return;
      retries.push(status.retryMs);
      if (retries.length < 8) queueMicrotask(() => page.dispatchEvent(new Event('online')));
    });
    // Seven attempts that each waited for its time would take half a minute.
    await new Promise<void>((resolve) => {
      const stop = sync.subscribe(() => {
        if (retries.length < 8) return;
        stop();
        resolve();
      });
    });
    expect(retries[0]).toBeGreaterThanOrEqual(250);
    expect(retries[0]).toBeLessThanOrEqual(500);
    expect(retries[7]).toBeGreaterThanOrEqual(15_000);
    expect(retries[7]).toBeLessThanOrEqual(30_000);
    await sync.close();
    expect(sync.status).toEqual({ state: 'closed' });
  });

  it('ends the sync where it is not to come back', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    await fill(alice);
    const server = await serve(alice, { secret });
    const relay = await TcpRelay.open(server.port);
    onTestFinished(() => relay.close());
    const sync = connect(bob, `ws://127.0.0.1:${relay.port}`, { secret, reconnect: false });
    const backlog = outcome(sync.backlog());
    await underWay(sync);
    relay.reset();
    const error = await ended(sync);
    expect(error).toMatchObject({ name: 'ConnectionError', code: 'peer-gone' });
    expect(await backlog).toBe(error);
  });

  it('ends the sync when its own ledger was closed', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const server = await serve(alice, { secret });
    const sync = connect(bob, server.url, { secret });
    await sync.backlog();
    await bob.close();
    await alice.put({ _id: 'too late' });
    expect(await ended(sync)).toMatchObject({ code: 'storage-failed' });
  });

  it('is noticed by both sides when the other one has vanished', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const server = await serve(alice, { secret, keepAliveMs: 300 });
    const relay = await TcpRelay.open(server.port);
    onTestFinished(() => relay.close());
    const url = `ws://127.0.0.1:${relay.port}`;
    const sync = connect(bob, url, { secret, keepAliveMs: 300 });
    await sync.backlog();
    const gone = clientGone(server);
    relay.stall();
    expect((await gone).status).toMatchObject({ state: 'closed', error: { code: 'peer-gone' } });
    const waiting = await statusWhere(sync, ({ state }) => state === 'waiting');
    expect(waiting).toMatchObject({ error: { code: 'peer-gone' } });
    relay.mend();
    await sync.backlog();
  });
});

describe('closing', () => {
  it('ends a sync that is connecting, waiting or entering, and one that is destroyed', async () => {
    const bob = await memoryLedger('bob');
    const silent = net.createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as net.AddressInfo;
    for (const how of ['close', 'destroy'] as const) {
      const connecting = connect(bob, `ws://127.0.0.1:${port}`);
      const atOnce = connect(bob, `ws://127.0.0.1:${port}`);
      const waiting = connect(bob, 'ws://127.0.0.1:1');
      await statusWhere(waiting, ({ state }) => state === 'waiting');
      for (const sync of [connecting, atOnce, waiting]) {
        const connected = outcome(sync.connected());
        await sync[how]();
        expect(sync.status).toEqual({ state: 'closed' });
        expect(await connected).toMatchObject({ name: 'ConnectionError', code: 'closed' });
        await sync.close();
      }
    }
  });

  it('of a server delivers what was written before, and ends every client in order', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const server = await serve(alice, { secret });
    const sync = connect(bob, server.url, { secret, reconnect: false });
    await sync.backlog();
    const hanging = new NodeWebSocket(server.url);
    await once(hanging, 'open');
    const hung = once(hanging, 'close');
    await alice.put({ _id: 'last words' });
    await server.close();
    await hung;
    expect(await ended(sync)).toBeUndefined();
    expect(await bob.get('last words')).toBeDefined();
    expect(server.clients).toEqual([]);
  });
});

// --- strangers ---

describe('a server among strangers', () => {
  /** The status line that a raw request gets. */
  async function answerTo(server: SyncServer, lines: readonly string[]): Promise<string> {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.end(`${lines.join('\r\n')}\r\n\r\n`);
    let answer = '';
    socket.on('data', (bytes) => (answer += bytes.toString()));
    socket.on('error', () => {});
    await once(socket, 'close');
    return answer.split('\r\n')[0]!;
  }

  const upgrade = (path: string, ...more: string[]): string[] => [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...more,
  ];

  it('answers by HTTP to who asks for something else', async () => {
    const alice = await memoryLedger('alice');
    const server = await serve(alice, {
      secret,
      path: '/sync',
      origins: ['https://app.example'],
      maxConnections: 1,
    });
    const request = ['GET / HTTP/1.1', 'Host: localhost'];
    expect(await answerTo(server, request)).toContain('426');
    expect(await answerTo(server, upgrade('/'))).toContain('404');
    expect(await answerTo(server, upgrade('/sync', 'Origin: https://evil.example'))).toContain(
      '403',
    );
    expect(await answerTo(server, ['GET /sync HTTP/1.1', 'Nonsense'])).toContain('400');
    const bob = await memoryLedger('bob');
    const sync = connect(bob, `${server.url}?from=test`, { secret });
    await sync.backlog();
    expect(await answerTo(server, upgrade('/sync', 'Origin: https://app.example'))).toContain(
      '503',
    );
    expect(sync.status).toEqual({ state: 'live' });
  });

  it('lets a page of an origin in that it knows', async () => {
    const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
    const server = await serve(alice, { secret, origins: ['https://app.example'] });
    class Page extends NodeWebSocket {
      constructor(url: string) {
        super(url, { origin: 'https://app.example' });
      }
    }
    const WebSocket = Page as unknown as NonNullable<WebSocketSyncOptions['WebSocket']>;
    await connect(bob, server.url, { secret, WebSocket }).backlog();
  });

  it('ends who says nothing, or nonsense, and serves the others', async () => {
    await forSeeds(1, async (random) => {
      const [alice, bob] = [await memoryLedger('alice'), await memoryLedger('bob')];
      const server = await serve(alice, { secret, handshakeTimeoutMs: 300 });
      const sync = connect(bob, server.url, { secret });
      await sync.backlog();
      const attacks: ((socket: NodeWebSocket) => void)[] = [
        () => {},
        (socket) => socket.send('{'),
        (socket) => socket.send(random.bytes(1000)),
        (socket) => socket.send(new Uint8Array(1_000_000)),
        (socket) => socket.send('\0ping\0'),
        (socket) => socket.terminate(),
        (socket) => socket.close(4321, 'whatever'),
        // Below WebSocket: a frame that no client may send.
        (socket) => (socket as unknown as { _socket: net.Socket })._socket.write(random.bytes(64)),
      ];
      for (const attack of attacks) {
        const gone = clientGone(server);
        const socket = new NodeWebSocket(server.url);
        socket.on('error', () => {});
        await once(socket, 'open');
        attack(socket);
        expect((await gone).status).toHaveProperty('error');
        socket.terminate();
      }
      await bob.put({ _id: 'after' });
      await sync.synced();
      expect(await alice.get('after')).toBeDefined();
    });
  });

  it('ends the session of a member that breaks the protocol, and no other', async () => {
    const [alice, bob] = [
      await memoryLedger('alice'),
      await openLedger('b', { storage: 'memory' }),
    ];
    onTestFinished(() => bob.close());
    const server = await serve(alice, { secret });
    const sync = connect(bob, server.url, { secret });
    await sync.backlog();
    class Liar extends NodeWebSocket {
      override send(data: string | Uint8Array): void {
        // The handshake as it is, then what nobody says.
        super.send(typeof data === 'string' ? data : Uint8Array.of(99));
      }
    }
    const WebSocket = Liar as unknown as NonNullable<WebSocketSyncOptions['WebSocket']>;
    const gone = clientGone(server);
    const carol = await memoryLedger('carol');
    const liar = connect(carol, server.url, { secret, WebSocket, reconnect: false });
    expect(await ended(liar)).toMatchObject({ code: 'aborted-by-peer' });
    expect((await gone).status).toMatchObject({ error: { code: 'malformed-frame' } });
    await bob.put({ _id: 'after' });
    await sync.synced();
    expect(await alice.get('after')).toBeDefined();
  });
});
