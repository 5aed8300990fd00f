import { ConnectionError, LedgerError, ProtocolError, RoomError } from './errors.ts';
import { loadPart } from './load-part.ts';
import type { Replica } from './protocol/replica.ts';
import type { Session } from './protocol/session.ts';
import { Backoff } from './rooms/backoff.ts';
import type { Access } from './rooms/handshake.ts';
import { watchForWaking } from './rooms/wake.ts';
import { sessionStatus, type SessionStatus } from './session-status.ts';
import { asError, Status } from './status.ts';
import type { SyncOptions } from './sync.ts';
import { replicaForPeers, type SyncSource } from './sync-source.ts';
import type { WebSocketChannelOptions } from './transports/websocket.ts';
import { checkWebSocketUrl, type WebSocketClass } from './transports/websocket-class.ts';
import type { WebSocketSessions } from './websocket-sessions.ts';

export interface WebSocketSyncOptions
  extends Pick<SyncOptions, 'helloTimeoutMs' | 'compression'>, WebSocketChannelOptions {
  /** The room that the server serves the ledger as. Default `emberlink`. */
  readonly room?: string;
  /**
   * What both sides prove to know, before either sends a byte of its ledger. Without one whoever knows
   * the room's name is let in.
   */
  readonly secret?: string | Uint8Array;
  /** For the server's `authorize`; called for each connection. Only who knows the secret can read it. */
  readonly token?: string | (() => string | Promise<string>);
  /**
   * Whether to come back when the connection is lost, or does not come about. Default true. A refusal
   * (RoomError) ends it all the same.
   */
  readonly reconnect?: boolean;
  /** How long one attempt to connect may take. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Default: the global one; in a Node that has none the one of the package `ws`. */
  readonly WebSocket?: WebSocketClass;
}

export type WebSocketSyncStatus =
  | { readonly state: 'connecting' }
  | SessionStatus
  /** Not connected; tries again in so many milliseconds. The error is why; none after an end in order. */
  | { readonly state: 'waiting'; readonly retryMs: number; readonly error?: Error }
  /** Over: in order without an error. */
  | { readonly state: 'closed'; readonly error?: Error };

const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 30_000;

const loadSessions = loadPart(() => import('./websocket-sessions.ts'), ConnectionError);

/**
 * Joins a ledger to a server of `serveWebSocket`, and stays joined, through lost connections and
 * restarts of the server, until it is closed.
 * @param source a ledger, or a Replica of your own
 * @param url `ws://…` or `wss://…`: only the second one is safe from who listens on the way
 * @throws RoomError `invalid-option` for another URL
 */
export function connectWebSocket(
  source: SyncSource,
  url: string,
  options: WebSocketSyncOptions = {},
): WebSocketSync {
  checkWebSocketUrl(url);
  return new WebSocketSync(replicaForPeers(source), url, options);
}

/** Made by `connectWebSocket`. */
export class WebSocketSync {
  readonly #replica: Replica;
  readonly #url: string;
  readonly #options: WebSocketSyncOptions;
  readonly #status: Status<WebSocketSyncStatus> = new Status<WebSocketSyncStatus>({
    state: 'connecting',
  });
  readonly #backoff = new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS);
  readonly #leaving = new AbortController();
  readonly #over: Promise<void>;
  /** Once it could be loaded. */
  #sessions: WebSocketSessions | undefined;
  /** While a connection stands. */
  #session: Session | undefined;
  #access: Access | undefined;
  /** The session that stands, or the next one. */
  #arrival: Arrival = createArrival();

  constructor(replica: Replica, url: string, options: WebSocketSyncOptions) {
    this.#replica = replica;
    this.#url = url;
    this.#options = options;
    // Whoever calls us can subscribe first.
    this.#over = Promise.resolve().then(() => this.#run());
  }

  get status(): WebSocketSyncStatus {
    return this.#status.value;
  }

  /** What the server lets this side do, as it said last; undefined before it did. */
  get access(): Access | undefined {
    return this.#access;
  }

  /** Calls the listener with each new status, progress included; returns the function that ends this. */
  subscribe(listener: (status: WebSocketSyncStatus) => void): () => void {
    return this.#status.subscribe(listener);
  }

  /**
   * Resolves when a connection stands.
   * @throws what ended this, when it ends before
   */
  async connected(): Promise<void> {
    await this.#arrival.promise;
  }

  /**
   * Resolves when the server has stored all that this side holds now, however many connections that
   * takes.
   * @throws like `connected`; ProtocolError `read-only` when the server takes nothing from this side
   */
  async synced(): Promise<void> {
    await this.#inSession((session) => session.synced());
  }

  /**
   * Resolves when a first sync is complete, both ways.
   * @throws like `connected`
   */
  async backlog(): Promise<{ ok: true }> {
    await this.#inSession((session) => session.firstSync());
    return { ok: true };
  }

  /**
   * Delivers what was written before, if there is a connection, then ends in order. Resolves when
   * nothing is left open.
   */
  async close(): Promise<void> {
    if (this.#session === undefined) {
      this.destroy();
      return;
    }
    this.#leaving.abort();
    await this.#session.close();
    await this.#over;
  }

  /** Ends at once. */
  destroy(): void {
    this.#leaving.abort();
    this.#session?.destroy();
    this.#end();
  }

  // --- inside ---

  async #run(): Promise<void> {
    const { reconnect = true } = this.#options;
    const { signal } = this.#leaving;
    while (!signal.aborted) {
      const error = await this.#visit();
      if (signal.aborted || !reconnect || isFinal(error)) {
        this.#end(error);
        return;
      }
      await this.#pause(error);
    }
    this.#end();
  }

  /** One connection from its attempt to its end; tells what ended it, unless that was in order. */
  async #visit(): Promise<Error | undefined> {
    const { signal } = this.#leaving;
    let session: Session | undefined;
    try {
      this.#status.set({ state: 'connecting' });
      session = await this.#connect(signal);
      this.#arrive(session);
      await session.run();
      return undefined;
    } catch (error) {
      // An attempt that was given up has no other reason.
      return signal.aborted && session === undefined ? undefined : asError(error);
    }
  }

  async #connect(signal: AbortSignal): Promise<Session> {
    const { WebSocketSessions } = await loadSessions();
    signal.throwIfAborted();
    this.#sessions ??= new WebSocketSessions(this.#replica, this.#url, this.#options);
    const { session, access } = await this.#sessions.open(signal);
    this.#access = access;
    return session;
  }

  #arrive(session: Session): void {
    this.#session = session;
    session.subscribe((state) => {
      if (state.kind === 'live') this.#backoff.reset();
      if (state.kind === 'ended') {
        this.#session = undefined;
        this.#arrival = createArrival();
      }
      const status = sessionStatus(state);
      if (status !== undefined) this.#status.set(status);
    });
    this.#arrival.resolve(session);
  }

  /** Asks the session that stands, or the next one; when it ends meanwhile the one after that. */
  async #inSession(ask: (session: Session) => Promise<void>): Promise<void> {
    for (;;) {
      const session = await this.#arrival.promise;
      try {
        await ask(session);
        return;
      } catch (error) {
        if (error instanceof ProtocolError && error.code === 'read-only') throw error;
      }
      // One that is about to end answers no more, and is still the one that stands.
      await session.run().catch(() => {});
    }
  }

  /** Until the next attempt: it comes at once when the network has changed, or a page wakes up. */
  #pause(error: Error | undefined): Promise<void> {
    const { signal } = this.#leaving;
    const retryMs = this.#backoff.next();
    const paused = new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        stopWatching();
        resolve();
      };
      const timer = setTimeout(end, retryMs);
      signal.addEventListener('abort', end);
      const stopWatching = watchForWaking(end);
    });
    this.#status.set({ state: 'waiting', retryMs, ...(error === undefined ? {} : { error }) });
    return paused;
  }

  #end(error?: Error): void {
    this.#status.set({ state: 'closed', ...(error === undefined ? {} : { error }) });
    this.#arrival.reject(error ?? new ConnectionError('closed', 'this WebSocketSync was closed'));
  }
}

// --- helpers ---

interface Arrival {
  readonly promise: Promise<Session>;
  resolve(session: Session): void;
  reject(error: Error): void;
}

function createArrival(): Arrival {
  let resolve!: (session: Session) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<Session>((...settle) => ([resolve, reject] = settle));
  // Whoever asks for it hears of a failure; nobody has to ask, the status tells it too.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** True for what another attempt would end in just as well. */
function isFinal(error: Error | undefined): boolean {
  if (error instanceof RoomError) return true;
  if (error instanceof ConnectionError) return error.code === 'no-websocket';
  if (!(error instanceof ProtocolError)) return false;
  if (error.cause instanceof LedgerError) return error.cause.code === 'closed';
  return error.code === 'unsupported-version' || error.code === 'connected-to-self';
}
