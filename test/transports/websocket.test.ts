import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket as NodeWebSocket, WebSocketServer } from 'ws';
import type { Channel } from '../../src/protocol/channel.ts';
import {
  MAX_WEBSOCKET_MESSAGE_BYTES,
  openWebSocket,
  WebSocketChannel,
} from '../../src/transports/websocket.ts';
import type { WebSocketClass } from '../../src/transports/websocket-class.ts';
import { listen, testChannel } from '../suites/channel.suite.ts';
import { TcpRelay } from '../support/tcp-relay.ts';

const OfNode = NodeWebSocket as unknown as WebSocketClass;

/** Small, so that a vanished peer is noticed soon; large enough for a busy machine. */
const KEEP_ALIVE_MS = 1000;

interface Joined {
  readonly client: Channel;
  readonly server: Channel;
  /** Below the server's channel. */
  readonly socket: NodeWebSocket;
  readonly relay: TcpRelay;
}

async function join({ idleMs = 0, WebSocket = OfNode } = {}): Promise<Joined> {
  const door = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
  });
  await once(door, 'listening');
  const relay = await TcpRelay.open((door.address() as AddressInfo).port, idleMs);
  onTestFinished(() => {
    void relay.close();
    door.close();
  });
  const accepted = new Promise<{ socket: NodeWebSocket; server: Channel }>((resolve) => {
    door.on('connection', (socket) => {
      const options = { keepAliveMs: KEEP_ALIVE_MS };
      resolve({ socket, server: new WebSocketChannel(socket as unknown as WebSocket, options) });
    });
  });
  const client = await openWebSocket(`ws://127.0.0.1:${relay.port}`, WebSocket, {
    keepAliveMs: KEEP_ALIVE_MS,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
  });
  return { client, relay, ...(await accepted) };
}

testChannel('WebSocket, from the client', async () => {
  const { client, server, relay } = await join();
  return { alice: client, bob: server, vanish: () => relay.stall() };
});

testChannel('WebSocket, from the server', async () => {
  const { client, server, relay } = await join();
  return { alice: server, bob: client, vanish: () => relay.stall() };
});

// Node 20 has none, unless it is asked for; it is not the one of `ws`, and much like those of browsers.
const Global = globalThis.WebSocket as WebSocketClass | undefined;
if (Global !== undefined) {
  testChannel('the global WebSocket', async () => {
    const { client, server, relay } = await join({ WebSocket: Global });
    return { alice: client, bob: server, vanish: () => relay.stall() };
  });
}

describe('a WebSocket channel', () => {
  it('carries text that looks like its own keepalives', async () => {
    const { client, server } = await join();
    const atServer = listen(server);
    const sent = ['\0ping', '\0pong', '\0', '\0\0', '\0\0ping', 'plain'];
    for (const text of sent) client.send(text);
    await client.close();
    await atServer.closed;
    expect(atServer.frames).toEqual(sent);
  });

  it('stays open in silence, through a proxy that closes idle lines', async () => {
    const idleMs = 4 * KEEP_ALIVE_MS;
    const { client, server } = await join({ idleMs });
    const [atClient, atServer] = [listen(client), listen(server)];
    const silence = new Promise((resolve) => setTimeout(resolve, 1.5 * idleMs));
    const over = await Promise.race([atClient.closed, atServer.closed, silence]);
    expect(over).toBeUndefined();
    client.send('still here');
    await atServer.count(1);
    server.destroy();
    await atClient.closed;
  });

  it('notices a vanished peer though small frames go on being sent to it', async () => {
    const { client, server, relay } = await join();
    const [atClient] = [listen(client), listen(server)];
    relay.stall();
    const writing = setInterval(() => {
      try {
        client.send('a live write');
      } catch {
        clearInterval(writing);
      }
    }, 20);
    expect(await atClient.closed).toMatchObject({ code: 'peer-gone' });
  });

  it('keeps no more than its mark for a peer that asks for life signs and never reads', async () => {
    const { client, server, socket, relay } = await join();
    listen(client);
    listen(server);
    relay.stall();
    while (!server.congested) server.send(new Uint8Array(server.maxFrameBytes));
    const before = socket.bufferedAmount;
    for (let i = 0; i < 1000; i++) socket.emit('message', Buffer.from('\0ping'), false);
    expect(socket.bufferedAmount).toBeLessThanOrEqual(before);
    server.destroy();
  });

  it('says frame-too-large on both sides when a peer sends a larger message than it may', async () => {
    const { client, server, socket } = await join();
    const [atClient, atServer] = [listen(client), listen(server)];
    socket.send(new Uint8Array(MAX_WEBSOCKET_MESSAGE_BYTES + 1));
    expect(await atClient.closed).toMatchObject({ code: 'frame-too-large' });
    expect(await atServer.closed).toMatchObject({ code: 'frame-too-large' });
  });

  it('ends on a text of its own kind that it does not know', async () => {
    const { client, server, socket } = await join();
    const [atClient] = [listen(client), listen(server)];
    socket.send('\0unheard of');
    expect(await atClient.closed).toMatchObject({ code: 'malformed-frame' });
  });

  it('says peer-gone when the line is reset', async () => {
    const { client, server, relay } = await join();
    const [atClient, atServer] = [listen(client), listen(server)];
    relay.reset();
    for (const received of [atClient, atServer]) {
      expect(await received.closed).toMatchObject({ name: 'ConnectionError', code: 'peer-gone' });
    }
  });
});

describe('opening a WebSocket', () => {
  const signal = new AbortController().signal;

  it('says connect-failed where nobody listens', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const opening = openWebSocket(`ws://127.0.0.1:${port}`, OfNode, {
      timeoutMs: 10_000,
      signal,
    });
    await expect(opening).rejects.toMatchObject({
      name: 'ConnectionError',
      code: 'connect-failed',
    });
  });

  it('says connect-timeout when nothing answers, and closed when it is not wanted any more', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await expect(openWebSocket(url, OfNode, { timeoutMs: 300, signal })).rejects.toThrow(
      expect.objectContaining({ code: 'connect-timeout' }),
    );
    const leaving = new AbortController();
    const opening = openWebSocket(url, OfNode, {
      timeoutMs: 10_000,
      signal: leaving.signal,
    });
    leaving.abort();
    await expect(opening).rejects.toMatchObject({ code: 'closed' });
  });
});
