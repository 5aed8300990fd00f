import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions as TlsOptions } from 'node:https';
import { isIPv6, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket as NodeWebSocket } from 'ws';
import { ConnectionError } from './errors.ts';
import type { Replica } from './protocol/replica.ts';
import { Session } from './protocol/session.ts';
import type { Authorization } from './room.ts';
import { admit, DEFAULT_HANDSHAKE_TIMEOUT_MS, type Access } from './rooms/handshake.ts';
import { DEFAULT_ROOM, RoomKeys } from './rooms/keys.ts';
import { sessionStatus, type SessionStatus } from './session-status.ts';
import { asError } from './status.ts';
import type { SyncOptions } from './sync.ts';
import { replicaForPeers, type SyncSource } from './sync-source.ts';
import { Listeners } from './listeners.ts';
import {
  MAX_WEBSOCKET_MESSAGE_BYTES,
  WebSocketChannel,
  type WebSocketChannelOptions,
} from './transports/websocket.ts';

export interface ServedRoom {
  /** A ledger, or a Replica of your own. */
  readonly ledger: SyncSource;
  /** What clients prove to know. Without one whoever knows the room's name is let in. */
  readonly secret?: string | Uint8Array;
}

/** A client that has proved to know the room's secret and asks to be let in. */
export interface Applicant {
  readonly room: string;
  /** What it showed, if anything. */
  readonly token: string | undefined;
  /** Its IP address, or that of the proxy before it. */
  readonly address: string;
  /** The request that opened its WebSocket: headers, cookies, URL. */
  readonly request: IncomingMessage;
}

export interface ServeWebSocketOptions
  extends Pick<SyncOptions, 'helloTimeoutMs' | 'compression'>, WebSocketChannelOptions {
  /** Default 0: any that is free, see `SyncServer.port`. */
  readonly port?: number;
  /** Default `127.0.0.1`: this machine alone. `0.0.0.0` or `::` for everybody. */
  readonly host?: string;
  /** The path of the WebSocket. Default `/`. */
  readonly path?: string;
  /** Key and certificate, which make it `wss://`. */
  readonly tls?: TlsOptions;
  /** Web pages that may connect, like `https://app.example`. Default: all, and whatever is no page. */
  readonly origins?: readonly string[];
  /** Default 1,000; who comes then is told 503. */
  readonly maxConnections?: number;
  /** How long a client may take to prove that it knows the secret. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /**
   * Asked about each client that knows the secret: false refuses it, `read` takes nothing that it
   * brings. An error refuses too. Default: everybody may write.
   */
  readonly authorize?: (applicant: Applicant) => Authorization | Promise<Authorization>;
}

export type ClientStatus =
  /** It has not proved yet that it knows the secret. */
  | { readonly state: 'entering' }
  | SessionStatus
  /** Over: in order without an error. */
  | { readonly state: 'closed'; readonly error?: Error };

export interface SyncClient {
  /** Unique in this server. */
  readonly id: number;
  readonly address: string;
  /** Undefined, like `access`, until it was let in. */
  readonly room: string | undefined;
  readonly access: Access | undefined;
  readonly status: ClientStatus;
}

/** For a server of one ledger. */
export interface ServedRoomOptions extends Omit<ServedRoom, 'ledger'> {
  /** Default `emberlink`. */
  readonly room?: string;
}

/** For the connections that a proxy or somebody's browser opens and does not use. */
const SPARE_CONNECTIONS = 100;
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_MAX_CONNECTIONS = 1000;

/**
 * Serves ledgers to clients of `connectWebSocket`. Node only.
 * @param source a ledger, or a Replica of your own; or by their names rooms of one ledger each
 * @throws RoomError `invalid-option` for a bad name or secret
 * @throws ConnectionError `connect-failed` when the port cannot be had
 */
export async function serveWebSocket(
  source: SyncSource | Map<string, ServedRoom>,
  options: ServeWebSocketOptions & ServedRoomOptions = {},
): Promise<SyncServer> {
  const { room = DEFAULT_ROOM, ...served } = options;
  const byName = source instanceof Map ? source : new Map([[room, { ...served, ledger: source }]]);
  const rooms = new Map<string, Room>();
  for (const [name, { ledger, secret }] of byName) {
    const keys = await RoomKeys.derive(name, secret);
    rooms.set(keys.id, { name, keys, replica: replicaForPeers(ledger) });
  }
  return SyncServer.open(rooms, options);
}

interface Room {
  readonly name: string;
  readonly keys: RoomKeys;
  readonly replica: Replica;
}

/** Made by `serveWebSocket`. */
export class SyncServer {
  readonly #rooms: ReadonlyMap<string, Room>;
  readonly #options: ServeWebSocketOptions;
  readonly #http: Server;
  readonly #door: WebSocketServer;
  readonly #clients = new Set<Client>();
  readonly #listeners = new Listeners<[client: SyncClient]>();
  #nextId = 1;
  #closing: Promise<void> | undefined;

  static async open(
    rooms: ReadonlyMap<string, Room>,
    options: ServeWebSocketOptions,
  ): Promise<SyncServer> {
    const server = new SyncServer(rooms, options);
    await server.#listen();
    return server;
  }

  private constructor(rooms: ReadonlyMap<string, Room>, options: ServeWebSocketOptions) {
    this.#rooms = rooms;
    this.#options = options;
    this.#http = options.tls === undefined ? createHttpServer() : createHttpsServer(options.tls);
    this.#http.maxConnections = this.#maxConnections + SPARE_CONNECTIONS;
    this.#door = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    this.#http.on('request', (_request, response) => {
      response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end();
    });
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Else an error of this socket would be thrown; what ends it is told by its WebSocket.
      socket.on('error', () => socket.destroy());
      const refusal = this.#refusalOf(request);
      if (refusal === undefined) {
        this.#door.handleUpgrade(request, socket, head, (opened) => this.#welcome(opened, request));
      } else {
        // Else who does not close it in turn would hold it.
        socket.once('finish', () => socket.destroy());
        socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      }
    });
  }

  get port(): number {
    return (this.#http.address() as AddressInfo | null)?.port ?? 0;
  }

  /** For `connectWebSocket` on this machine, or one that knows it by the address it listens on. */
  get url(): string {
    const { tls, host = DEFAULT_HOST, path = '/' } = this.#options;
    const name = isIPv6(host) ? `[${host}]` : host;
    return `${tls === undefined ? 'ws' : 'wss'}://${name}:${this.port}${path}`;
  }

  /** Those that are connected now. */
  get clients(): readonly SyncClient[] {
    return Array.from(this.#clients, (client) => client.told);
  }

  /** Calls the listener with every client whose status changes; returns the function that ends this. */
  subscribe(listener: (client: SyncClient) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Takes no more clients, delivers what was written before to those that are here, and ends. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #listen(): Promise<void> {
    const { port = 0, host = DEFAULT_HOST } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => {
        const message = `cannot listen on ${host}:${port}: ${cause.message}`;
        reject(new ConnectionError('connect-failed', message, { cause }));
      };
      this.#http.once('error', failed);
      this.#http.listen(port, host, () => {
        this.#http.off('error', failed);
        // What a single connection did is told where it is.
        this.#http.on('error', () => {});
        resolve();
      });
    });
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    await Promise.all(Array.from(this.#clients, (client) => client.close()));
    this.#http.closeAllConnections();
    await closed;
  }

  get #maxConnections(): number {
    return this.#options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  }

  /** What a client is told by HTTP before it becomes a WebSocket; undefined when it may. */
  #refusalOf({ url, headers }: IncomingMessage): string | undefined {
    const { path = '/', origins } = this.#options;
    if (this.#closing !== undefined) return '503 Service Unavailable';
    if (url?.split('?')[0] !== path) return '404 Not Found';
    if (
      origins !== undefined &&
      headers.origin !== undefined &&
      !origins.includes(headers.origin)
    ) {
      return '403 Forbidden';
    }
    return this.#clients.size >= this.#maxConnections ? '503 Service Unavailable' : undefined;
  }

  #welcome(socket: NodeWebSocket, request: IncomingMessage): void {
    const client = new Client(this.#nextId++, socket, request, this.#rooms, this.#options);
    this.#clients.add(client);
    client.run((told) => {
      if (told.status.state === 'closed') this.#clients.delete(client);
      this.#listeners.tell(told);
    });
  }
}

// --- one client ---

class Client {
  readonly #channel: WebSocketChannel;
  readonly #request: IncomingMessage;
  readonly #rooms: ReadonlyMap<string, Room>;
  readonly #options: ServeWebSocketOptions;
  readonly #over: Promise<void>;
  #settleOver!: () => void;
  #listener: (told: SyncClient) => void = () => {};
  #session: Session | undefined;
  #told: SyncClient;

  constructor(
    id: number,
    socket: NodeWebSocket,
    request: IncomingMessage,
    rooms: ReadonlyMap<string, Room>,
    options: ServeWebSocketOptions,
  ) {
    // Its types differ from the standard's in what nobody here uses.
    this.#channel = new WebSocketChannel(socket as unknown as WebSocket, options);
    this.#request = request;
    this.#rooms = rooms;
    this.#options = options;
    this.#over = new Promise((resolve) => {
      this.#settleOver = resolve;
    });
    this.#told = {
      id,
      address: request.socket.remoteAddress ?? '',
      room: undefined,
      access: undefined,
      status: { state: 'entering' },
    };
  }

  get told(): SyncClient {
    return this.#told;
  }

  run(listener: (told: SyncClient) => void): void {
    this.#listener = listener;
    this.#tell({});
    this.#converse()
      .then(
        () => this.#tell({ status: { state: 'closed' } }),
        (error: unknown) => this.#tell({ status: { state: 'closed', error: asError(error) } }),
      )
      .finally(this.#settleOver);
  }

  async close(): Promise<void> {
    if (this.#session === undefined) this.#channel.destroy();
    else await this.#session.close();
    await this.#over;
  }

  async #converse(): Promise<void> {
    const { handshakeTimeoutMs, helloTimeoutMs, compression } = this.#options;
    const admission = await admit<Room>(this.#channel, {
      roomOf: (id) => this.#rooms.get(id),
      authorize: (room, token) => this.#authorize(room, token),
      timeoutMs: handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
    });
    const session = new Session(admission.channel, admission.room.replica, {
      takes: admission.access === 'write',
      ...(helloTimeoutMs === undefined ? {} : { helloTimeoutMs }),
      ...(compression === undefined ? {} : { compression }),
    });
    this.#session = session;
    this.#tell({ room: admission.room.name, access: admission.access });
    session.subscribe((state) => {
      const status = sessionStatus(state);
      if (status !== undefined) this.#tell({ status });
    });
    await session.run();
  }

  async #authorize(room: Room, token: string | undefined): Promise<Access | undefined> {
    const { authorize } = this.#options;
    if (authorize === undefined) return 'write';
    const { address } = this.#told;
    const request = this.#request;
    const said = await authorize({ room: room.name, token, address, request });
    if (said === true || said === 'write') return 'write';
    return said === 'read' ? 'read' : undefined;
  }

  #tell(news: Partial<SyncClient>): void {
    this.#told = { ...this.#told, ...news };
    this.#listener(this.#told);
  }
}
