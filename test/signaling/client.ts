import { createHash, randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { type ClientOptions, WebSocket } from 'ws';
import {
  type ClientMessage,
  parseServerMessage,
  type ServerMessage,
  SIGNALING_PROTOCOL,
} from '../../signaling/messages.ts';
import {
  createSignalingServer,
  type SignalingServer,
  type SignalingServerOptions,
} from '../../signaling/server.ts';

export type Of<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

export interface Proof {
  readonly proof: string;
  /** The address that it makes. */
  readonly member: string;
}

export function newProof(): Proof {
  const proof = randomBytes(32).toString('base64url');
  return { proof, member: createHash('sha256').update(proof).digest('base64url').slice(0, 22) };
}

/** A client that says what a test tells it to say, over a real socket. */
export class TestClient {
  readonly socket: WebSocket;
  /** Everything that came and was not asked for yet. */
  readonly heard: ServerMessage[] = [];
  readonly closed: Promise<number>;
  #wake = (): void => {};
  #isClosed = false;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const message = parseServerMessage((data as Buffer).toString());
      if (message === undefined) throw new Error(`not a message: ${(data as Buffer).toString()}`);
      this.heard.push(message);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => {
        this.#isClosed = true;
        resolve(code);
        this.#wake();
      });
    });
  }

  /** Connects, and takes the `welcome`. Rejects with the HTTP status as text when it is refused. */
  static async connect(url: string, options: ClientOptions = {}): Promise<TestClient> {
    const socket = new WebSocket(url, SIGNALING_PROTOCOL, { perMessageDeflate: false, ...options });
    const client = new TestClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_request, response) => {
        reject(new Error(String(response.statusCode)));
        socket.terminate();
      });
      socket.once('error', reject);
    });
    await client.next('welcome');
    return client;
  }

  say(message: ClientMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message, which must be of this type. */
  async next<T extends ServerMessage['type']>(type: T): Promise<Of<T>> {
    while (this.heard.length === 0) {
      if (this.#isClosed) throw new Error(`closed before ${type}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const message = this.heard.shift()!;
    if (message.type !== type) throw new Error(`${JSON.stringify(message)} instead of ${type}`);
    return message as Of<T>;
  }

  async join(room: string, proof: Proof = newProof(), token?: string): Promise<Of<'joined'>> {
    this.say({ type: 'join', room, proof: proof.proof, token });
    return this.next('joined');
  }

  /** Resolves when the server has answered everything that was said before. */
  async settled(): Promise<void> {
    this.say({ type: 'ping' });
    await this.next('pong');
  }

  async end(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** Servers of one test file, each on a port of its own, closed at the end. */
export class TestServers {
  readonly #running: SignalingServer[] = [];

  async start(
    options: SignalingServerOptions = {},
  ): Promise<{ server: SignalingServer; url: string; metricsUrl: string | undefined }> {
    const server = createSignalingServer({
      host: '127.0.0.1',
      port: 0,
      drainSeconds: 0,
      logger: pino({ level: 'silent' }),
      ...options,
    });
    const addresses = await server.listen();
    this.#running.push(server);
    return { server, ...addresses };
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((server) => server.close()));
  }
}

/** What an upgrade is answered with, or 101. */
export async function upgradeStatus(
  url: string,
  options: ClientOptions = {},
  protocol: string = SIGNALING_PROTOCOL,
): Promise<number> {
  const socket = new WebSocket(url, protocol, options);
  const status = await new Promise<number>((resolve, reject) => {
    socket.on('error', reject);
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.terminate();
  await closed;
  return status;
}
