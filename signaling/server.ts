import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { type Logger, pino } from 'pino';
import type { Registry } from 'prom-client';
import { type ServerOptions, WebSocketServer } from 'ws';
import { addressGroup, clientAddress, maskedAddress } from './address.ts';
import { createAuthorize } from './auth.ts';
import type { Broker } from './broker.ts';
import { Connection, type Shared } from './connection.ts';
import { Counts, UPGRADE_STATUS, type UpgradeRefusal } from './counts.ts';
import { SignalingServerError } from './errors.ts';
import { answerWith, type Health, pathOf, refuseUpgrade } from './http.ts';
import { inTurns } from './in-turns.ts';
import { AddressBook, type AddressUse } from './limits.ts';
import { SIGNALING_PROTOCOL, type SignalingErrorCode } from './messages.ts';
import { createMetrics } from './metrics.ts';
import { NatsBroker } from './nats-broker.ts';
import { Rooms } from './rooms.ts';
import { readSettingFile } from './setting-file.ts';
import { completeSettings, type SignalingSettings } from './settings.ts';

export type SignalingServerOptions = Partial<SignalingSettings> & {
  /** Shares rooms with other servers, in place of NATS. It is closed with the server. */
  readonly broker?: Broker | undefined;
  /**
   * Answers the GET and HEAD requests that are not the server's own (`path`, /health, /metrics), so
   * that an app's pages can come from the same port; they are told 404 when it is not given.
   */
  readonly pages?: RequestListener | undefined;
  /** Where log lines go; stdout when it is not given. */
  readonly logger?: Logger | undefined;
};

export interface Addresses {
  /** For clients: `ws://…` or `wss://…`. */
  readonly url: string;
  /** Of /metrics, where it has a port of its own. */
  readonly metricsUrl: string | undefined;
}

export interface SignalingServer {
  /**
   * Begins to serve.
   * @throws SignalingServerError `address-in-use`, `cannot-listen`, `unreadable-file`, `wrong-state`
   */
  listen(): Promise<Addresses>;
  /**
   * Stops: tells every client to come back, refuses new ones with 503, gives those that are there
   * `drainSeconds` to leave and then closes with code 1012. Later calls wait for the first.
   */
  close(): Promise<void>;
  stats(): SignalingStats;
}

/** What a server has at the moment, and what it has done since it started. */
export interface SignalingStats {
  readonly connections: number;
  readonly rooms: number;
  readonly members: number;
  readonly connectionsOpened: number;
  readonly messagesRelayed: number;
  readonly bytesRelayed: number;
  readonly slowReaders: number;
  readonly halfOpen: number;
  readonly idle: number;
  readonly badFrames: number;
  readonly failures: number;
  readonly refusals: Readonly<Record<SignalingErrorCode, number>>;
  readonly upgradesRefused: Readonly<Record<UpgradeRefusal, number>>;
}

/** @throws SignalingServerError `invalid-setting` */
export function createSignalingServer(options: SignalingServerOptions = {}): SignalingServer {
  return new WebSocketSignalingServer(options);
}

/** Its types lack an option that ws has. */
type WsOptions = ServerOptions & { readonly closeTimeout: number };

type State = 'new' | 'listening' | 'draining' | 'closed';

/** How long a client may take for its request, and for closing in order. */
const REQUEST_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2000;
const HTTP_LIMITS = {
  headersTimeout: REQUEST_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 2000,
};
/** TCP connections beside those of clients: /health, /metrics, and clients that are being refused. */
const SPARE_CONNECTIONS = 256;
const SPARE_SOCKETS_PER_ADDRESS = 16;
/** Of a message in fragments, or in tiny packets. */
const MAX_FRAGMENTS = 128;
const MAX_BUFFERED_CHUNKS = 16_384;

class WebSocketSignalingServer implements SignalingServer {
  readonly #settings: SignalingSettings;
  readonly #broker: Broker | undefined;
  readonly #appPages: RequestListener | undefined;
  readonly #log: Logger;
  readonly #counts = new Counts();
  readonly #rooms: Rooms;
  readonly #addresses: AddressBook;
  readonly #connections = new Set<Connection>();
  /** All that is connected, whatever for. */
  readonly #tcpSockets = new Set<Socket>();
  readonly #sockets: WebSocketServer;
  readonly #metrics: Registry;
  readonly #servers: Server[] = [];
  readonly #startedMs = performance.now();
  #state: State = 'new';
  #listening: Promise<Addresses> | undefined;
  #shared: Shared | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #brokerBeat: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  /** Called whenever a connection has gone. */
  #onGone = (): void => {};

  constructor({ broker, pages, logger, ...given }: SignalingServerOptions) {
    const settings = completeSettings(given);
    this.#settings = settings;
    this.#appPages = pages;
    this.#log = logger ?? pino({ level: settings.logLevel, base: { name: 'emberlink-signal' } });
    if (broker !== undefined && settings.brokerUrls.length > 0) {
      const message = 'brokerUrls: there is a broker already';
      throw new SignalingServerError('invalid-setting', message, { setting: 'brokerUrls' });
    }
    const isShared = settings.brokerUrls.length > 0;
    this.#broker = broker ?? (isShared ? new NatsBroker(settings, this.#log) : undefined);
    this.#rooms = new Rooms(settings.maxMembersPerRoom, this.#broker);
    this.#addresses = new AddressBook(settings);
    const limits: WsOptions = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: settings.maxMessageBytes,
      maxFragments: MAX_FRAGMENTS,
      maxBufferedChunks: MAX_BUFFERED_CHUNKS,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: () => SIGNALING_PROTOCOL,
    };
    this.#sockets = new WebSocketServer(limits);
    const gauges = {
      connections: () => this.#connections.size,
      rooms: () => this.#rooms.roomCount,
      members: () => this.#rooms.memberCount,
    };
    this.#metrics = createMetrics(this.#counts, gauges, this.#broker);
  }

  listen(): Promise<Addresses> {
    if (this.#listening !== undefined || this.#closing !== undefined) {
      return Promise.reject(new SignalingServerError('wrong-state', 'a server listens once'));
    }
    this.#listening = this.#listen();
    return this.#listening;
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  stats(): SignalingStats {
    const { connections: connectionsOpened, refusals, upgradesRefused, ...counts } = this.#counts;
    return {
      ...counts,
      connectionsOpened,
      connections: this.#connections.size,
      rooms: this.#rooms.roomCount,
      members: this.#rooms.memberCount,
      refusals: { ...refusals },
      upgradesRefused: { ...upgradesRefused },
    };
  }

  // --- from the first packet to a connection ---

  async #listen(): Promise<Addresses> {
    const { host, port, path, metricsHost, metricsPort, metricsToken } = this.#settings;
    const metrics = this.#metrics;
    const health = (): Health => this.#health();
    this.#shared = {
      settings: this.#settings,
      rooms: this.#rooms,
      counts: this.#counts,
      authorize: await createAuthorize(this.#settings),
      log: this.#log,
      isDraining: () => this.#state === 'draining',
    };
    const tls = await this.#readTls();
    const isApart = metricsPort !== undefined;
    const pages = {
      webSocketPath: path,
      metrics: isApart ? undefined : metrics,
      metricsToken,
      health,
      others: this.#appPages,
      isTooMuch: (request: IncomingMessage) => {
        const { allowance } = this.#useOf(this.#addressOf(request));
        return !allowance.take(0, performance.now());
      },
    };
    const answer = answerWith(pages);
    const main =
      tls === undefined
        ? createServer(HTTP_LIMITS, answer)
        : createTlsServer({ ...HTTP_LIMITS, ...tls, handshakeTimeout: REQUEST_TIMEOUT_MS }, answer);
    main.maxConnections = this.#settings.maxConnections + SPARE_CONNECTIONS;
    if (this.#settings.trustedProxies === 0) {
      main.on('connection', (socket: Socket) => this.#countSocket(socket));
    }
    main.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    let metricsUrl: string | undefined;
    try {
      await this.#broker?.open(this.#rooms);
      if (isApart) {
        const pagesApart = {
          webSocketPath: undefined,
          metrics,
          metricsToken,
          health,
          isTooMuch: () => false,
        };
        const apart = createServer(HTTP_LIMITS, answerWith(pagesApart));
        await this.#bind(apart, metricsPort, metricsHost);
        metricsUrl = `${urlOf(apart, 'http', metricsHost)}/metrics`;
      }
      await this.#bind(main, port, host);
    } catch (error) {
      await Promise.all(this.#servers.map((server) => ended(server)));
      await this.#broker?.close();
      throw error;
    }
    this.#state = 'listening';
    const { heartbeatSeconds, brokerBeatSeconds } = this.#settings;
    this.#heartbeat = this.#repeat(() => this.#beat(), heartbeatSeconds);
    if (this.#broker !== undefined) {
      const beat = (): Promise<void> =>
        this.#rooms.beat(performance.now(), brokerBeatSeconds * 1000);
      this.#brokerBeat = this.#repeat(beat, brokerBeatSeconds);
    }
    const url = urlOf(main, tls === undefined ? 'ws' : 'wss', host) + path;
    this.#log.info({ url, metricsUrl, auth: this.#settings.auth }, 'listening');
    return { url, metricsUrl };
  }

  /** Keeps one address from taking all sockets, be it without ever saying a word. */
  #countSocket(socket: Socket): void {
    const use = this.#useOf(clientAddress(socket.remoteAddress, undefined, 0));
    if (use.sockets >= this.#settings.maxConnectionsPerAddress + SPARE_SOCKETS_PER_ADDRESS) {
      socket.destroy();
      return;
    }
    use.sockets++;
    socket.once('close', () => use.sockets--);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    try {
      const address = this.#addressOf(request);
      const use = this.#useOf(address);
      const refusal = this.#refusalOf(request) ?? this.#refusalOfMore(use);
      if (refusal !== undefined) {
        this.#counts.upgradesRefused[refusal]++;
        this.#log.debug({ reason: refusal, address }, 'upgrade refused');
        return refuseUpgrade(socket, UPGRADE_STATUS[refusal], REASONS[refusal]);
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const place = maskedAddress(address);
        const connection = new Connection(webSocket, socket, use, place, this.#shared!);
        this.#connections.add(connection);
        this.#counts.connections++;
        use.connections++;
        this.#log.debug({ address }, 'connected');
        webSocket.once('close', (code) => {
          this.#connections.delete(connection);
          use.connections--;
          this.#log.debug({ address, code }, 'disconnected');
          this.#onGone();
        });
      });
    } catch (error) {
      this.#counts.failures++;
      this.#log.error({ err: error }, 'failure in an upgrade');
      socket.destroy();
    }
  }

  #addressOf({ headers, socket }: IncomingMessage): string {
    const forwarded = headers['x-forwarded-for'];
    const header = Array.isArray(forwarded) ? forwarded.join(',') : forwarded;
    return clientAddress(socket.remoteAddress, header, this.#settings.trustedProxies);
  }

  #useOf(address: string): AddressUse {
    return this.#addresses.use(addressGroup(address), performance.now());
  }

  #refusalOf(request: IncomingMessage): UpgradeRefusal | undefined {
    const { path, origins } = this.#settings;
    const { origin, 'sec-websocket-protocol': protocols = '' } = request.headers;
    if (pathOf(request) !== path) return 'path';
    if (this.#state !== 'listening') return 'draining';
    const isOurs = protocols.split(',').some((each) => each.trim() === SIGNALING_PROTOCOL);
    if (!isOurs) return 'protocol';
    if (origins.length > 0 && origin !== undefined && !origins.includes(origin)) return 'origin';
    return undefined;
  }

  #refusalOfMore(use: AddressUse): UpgradeRefusal | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    if (this.#connections.size >= maxConnections) return 'full';
    if (use.connections >= maxConnectionsPerAddress) return 'address';
    return use.allowance.take(0, performance.now()) ? undefined : 'address';
  }

  async #readTls(): Promise<{ cert: Buffer; key: Buffer } | undefined> {
    const { tlsCertFile, tlsKeyFile } = this.#settings;
    if (tlsCertFile === undefined || tlsKeyFile === undefined) return undefined;
    const cert = await readSettingFile('tlsCertFile', tlsCertFile, (bytes) => {
      createSecureContext({ cert: bytes });
      return bytes;
    });
    const key = await readSettingFile('tlsKeyFile', tlsKeyFile, (bytes) => {
      createSecureContext({ cert, key: bytes });
      return bytes;
    });
    return { cert, key };
  }

  async #bind(server: Server, port: number, host: string | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(cannotBind(error, port)));
      server.listen({ port, host }, resolve);
    });
    server.on('connection', (socket: Socket) => {
      this.#tcpSockets.add(socket);
      socket.once('close', () => this.#tcpSockets.delete(socket));
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#log.error({ err: error }, 'failure of the listener'));
    this.#servers.push(server);
  }

  #health(): Health {
    return {
      status: this.#state === 'listening' ? 'ok' : 'draining',
      connections: this.#connections.size,
      rooms: this.#rooms.roomCount,
      members: this.#rooms.memberCount,
      uptimeSeconds: Math.floor((performance.now() - this.#startedMs) / 1000),
      ...(this.#broker === undefined ? {} : { brokerUp: this.#broker.isUp }),
    };
  }

  // --- heartbeat and end ---

  #repeat(step: () => Promise<void>, seconds: number): NodeJS.Timeout {
    return setInterval(() => {
      step().catch((error: unknown) => this.#log.error({ err: error }, 'failure in a heartbeat'));
    }, seconds * 1000);
  }

  async #beat(): Promise<void> {
    const nowMs = performance.now();
    this.#addresses.sweep(nowMs);
    await this.#rooms.sweep(Date.now());
    await inTurns(this.#connections, (connection) => connection.beat(nowMs));
  }

  async #drain(): Promise<void> {
    await this.#listening?.catch(() => {});
    const { drainSeconds, retryMs } = this.#settings;
    if (this.#state === 'listening') {
      this.#state = 'draining';
      this.#log.info({ connections: this.#connections.size }, 'draining');
      for (const connection of this.#connections) connection.say({ type: 'drain', retryMs });
      await this.#allGone(drainSeconds * 1000);
      for (const connection of this.#connections) connection.close(1012, 'restart');
      await this.#allGone(CLOSE_TIMEOUT_MS);
      for (const connection of this.#connections) connection.terminate();
    }
    clearInterval(this.#heartbeat);
    clearInterval(this.#brokerBeat);
    const ends = this.#servers.map((server) => ended(server));
    // What is neither a client nor a request yet, such as half a TLS handshake, would hold it up.
    for (const socket of this.#tcpSockets) socket.destroy();
    await Promise.all(ends);
    await this.#broker?.close();
    this.#state = 'closed';
    this.#log.info('closed');
  }

  /** Resolves when there is no connection any more, or after that long. */
  #allGone(mostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, mostMs);
      this.#onGone = () => {
        if (this.#connections.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onGone();
    });
  }
}

const REASONS: Readonly<Record<UpgradeRefusal, string>> = {
  path: 'nothing is here',
  protocol: `the subprotocol must be ${SIGNALING_PROTOCOL}`,
  origin: 'this origin is not allowed',
  address: 'too many connections from this address',
  full: 'too many connections',
  draining: 'the server is about to stop',
};

function ended(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function cannotBind(cause: NodeJS.ErrnoException, port: number): SignalingServerError {
  return cause.code === 'EADDRINUSE'
    ? new SignalingServerError('address-in-use', `port ${port} is taken`, { cause })
    : new SignalingServerError('cannot-listen', `cannot listen: ${cause.message}`, { cause });
}

function urlOf(server: Server, scheme: string, host: string | undefined): string {
  const { port } = server.address() as AddressInfo;
  const isAny = host === undefined || host === '0.0.0.0' || host === '::';
  const name = isAny ? 'localhost' : isIPv6(host) ? `[${host}]` : host;
  return `${scheme}://${name}:${port}`;
}
