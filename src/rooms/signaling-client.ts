import {
  parseServerMessage,
  SIGNALING_PROTOCOL,
  type ClientMessage,
  type ServerMessage,
} from '../../signaling/messages.ts';
import { ConnectionError, RoomError } from '../errors.ts';
import {
  checkWebSocketUrl,
  loadWebSocket,
  type WebSocketClass,
} from '../transports/websocket-class.ts';
import { Backoff } from './backoff.ts';
import type {
  SignalingAdapter,
  SignalingEvents,
  SignalingJoin,
  SignalingMembership,
} from './signaling.ts';

export interface SignalingClientOptions {
  /** What the server asks for, if it does: a shared token or a JWT; called for each connection,
   * and again when credentials are renewed. */
  readonly token?: string | (() => string | Promise<string>);
  /** Default: the global one; in Node the one of the package `ws`. */
  readonly WebSocket?: WebSocketClass;
}

const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 30_000;
/** A connection that stands for this long was no failure. */
const SETTLED_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** The part of their time after which credentials are renewed. */
const RENEW_AFTER = 0.75;
const MIN_RENEWAL_MS = 10_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
const PING_INTERVAL_MS = 20_000;
const PONG_TIMEOUT_MS = 5000;
const WAKE_PONG_TIMEOUT_MS = 2000;
/** Beyond it the server does not take what we send: what else there is to say is dropped. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/** The project's own signaling server, by WebSocket. */
export class SignalingClient implements SignalingAdapter {
  readonly name: string;
  readonly #options: SignalingClientOptions;

  /** @throws RoomError `invalid-option` when it is no ws: or wss: URL */
  constructor(url: string, options: SignalingClientOptions = {}) {
    checkWebSocketUrl(url);
    this.name = url;
    this.#options = options;
  }

  join(options: SignalingJoin, events: SignalingEvents): SignalingMembership {
    return new Membership(this.name, this.#options, options, events);
  }
}

type MembershipState =
  | { readonly phase: 'connecting'; readonly socket?: WebSocket }
  | { readonly phase: 'joined'; readonly socket: WebSocket; readonly since: number }
  | { readonly phase: 'waiting' }
  | { readonly phase: 'left' };

class Membership implements SignalingMembership {
  readonly #url: string;
  readonly #options: SignalingClientOptions;
  readonly #join: SignalingJoin;
  readonly #events: SignalingEvents;
  readonly #backoff = new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS);
  #state: MembershipState = { phase: 'waiting' };
  /** The one thing waited for: a retry, the connection, the next ping, or its answer. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Why the server ended the connection, or is about to; told once it is closed. */
  #refusal: Error | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #drainMs: number | undefined;
  #maxMessageBytes = 0;

  constructor(
    url: string,
    options: SignalingClientOptions,
    join: SignalingJoin,
    events: SignalingEvents,
  ) {
    this.#url = url;
    this.#options = options;
    this.#join = join;
    this.#events = events;
    queueMicrotask(() => this.#connect());
  }

  send(to: string, data: string): void {
    if (this.#state.phase !== 'joined') return;
    this.#say(this.#state.socket, { type: 'send', room: this.#join.room, to, data });
  }

  wake(): void {
    const state = this.#state;
    switch (state.phase) {
      case 'waiting':
        this.#backoff.reset();
        this.#connect();
        return;
      case 'joined':
        this.#ping(state.socket, WAKE_PONG_TIMEOUT_MS);
        return;
      case 'connecting':
      case 'left':
        return;
    }
  }

  leave(): void {
    const state = this.#state;
    if (state.phase === 'left') return;
    this.#state = { phase: 'left' };
    clearTimeout(this.#timer);
    clearTimeout(this.#renewal);
    if (state.phase === 'joined') {
      this.#say(state.socket, { type: 'leave', room: this.#join.room });
    }
    if ('socket' in state) state.socket?.close(1000);
  }

  // --- the connection ---

  #connect(): void {
    if (this.#state.phase !== 'waiting') return;
    this.#state = { phase: 'connecting' };
    this.#refusal = undefined;
    this.#drainMs = undefined;
    this.#events.status({ state: 'connecting' });
    this.#wait(CONNECT_TIMEOUT_MS, () => this.#lost('the server did not answer in time'));
    this.#open().catch((error: unknown) => this.#lost('no WebSocket', error));
  }

  async #open(): Promise<void> {
    const WebSocketClass = this.#options.WebSocket ?? (await loadWebSocket());
    if (this.#state.phase !== 'connecting' || this.#state.socket !== undefined) return;
    const socket = new WebSocketClass(this.#url, SIGNALING_PROTOCOL);
    this.#state = { phase: 'connecting', socket };
    socket.addEventListener('open', () => {
      this.#sayJoin(socket).catch((error: unknown) => {
        if (this.#isOurs(socket)) this.#lost('no token', error);
      });
    });
    socket.addEventListener('message', (event: MessageEvent<unknown>) => {
      const message = typeof event.data === 'string' ? parseServerMessage(event.data) : undefined;
      if (message !== undefined && this.#isOurs(socket)) this.#hear(socket, message);
    });
    // What follows an error is `close`. Node's tells why, browsers keep it to themselves.
    let failure = '';
    socket.addEventListener('error', (event) => {
      if ('message' in event) failure = String(event.message);
    });
    socket.addEventListener('close', ({ code, reason }: CloseEvent) => {
      if (!this.#isOurs(socket)) return;
      this.#lost(failure || `the connection closed: ${code} ${reason}`.trimEnd());
    });
  }

  #hear(socket: WebSocket, message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#maxMessageBytes = message.maxMessageBytes;
        return;
      case 'joined':
        if (message.room !== this.#join.room) return;
        this.#state = { phase: 'joined', socket, since: performance.now() };
        this.#pingLater(socket);
        this.#events.status({ state: 'joined' });
        this.#events.joined(
          message.members.filter((member) => member !== message.member),
          message.iceServers,
        );
        this.#renewLater(socket, message.iceTtlSeconds);
        return;
      case 'entered':
        if (this.#isJoined(message.room)) this.#events.entered(message.member);
        return;
      case 'left':
        if (this.#isJoined(message.room)) this.#events.left(message.member);
        return;
      case 'message':
        if (this.#isJoined(message.room)) this.#events.message(message.from, message.data);
        return;
      case 'error':
        this.#refused(socket, message);
        return;
      case 'drain':
        this.#drainMs = message.retryMs;
        return;
      case 'pong':
        this.#pingLater(socket);
        return;
    }
  }

  /** To join again gives new credentials for TURN before the old ones have had their time. */
  #renewLater(socket: WebSocket, ttlSeconds: number | undefined): void {
    clearTimeout(this.#renewal);
    if (ttlSeconds === undefined) return;
    const ms = Math.min(Math.max(ttlSeconds * RENEW_AFTER * 1000, MIN_RENEWAL_MS), MAX_TIMER_MS);
    this.#renewal = setTimeout(() => this.#sayJoin(socket).catch(() => {}), ms);
  }

  async #sayJoin(socket: WebSocket): Promise<void> {
    const { token } = this.#options;
    const shown = typeof token === 'function' ? await token() : token;
    const { room, proof } = this.#join;
    if (this.#isOurs(socket)) this.#say(socket, { type: 'join', room, proof, token: shown });
  }

  #isOurs(socket: WebSocket): boolean {
    return 'socket' in this.#state && this.#state.socket === socket;
  }

  #refused(socket: WebSocket, error: ServerMessage & { type: 'error' }): void {
    switch (error.code) {
      case 'unauthorized':
      case 'room-not-allowed':
        this.#refusal = new RoomError('unauthorized', `${this.#url}: ${error.message}`);
        break;
      case 'no-such-member':
        // It has left meanwhile, of which the server tells by itself.
        return;
      case 'malformed':
      case 'rate-limited':
      case 'room-full':
      case 'too-many-rooms':
      case 'not-a-member':
      case 'replaced':
      case 'unavailable':
        this.#refusal = new RoomError('no-signaling', `${this.#url}: ${error.message}`);
        break;
    }
    // Membership is all that this connection is for.
    socket.close(1000);
    this.#lost(error.message);
  }

  /** The connection is over: the next one is made after a wait. */
  #lost(reason: string, cause?: unknown): void {
    const state = this.#state;
    if (state.phase === 'left' || state.phase === 'waiting') return;
    this.#state = { phase: 'waiting' };
    clearTimeout(this.#renewal);
    if ('socket' in state) state.socket?.close();
    if (state.phase === 'joined' && performance.now() - state.since > SETTLED_MS) {
      this.#backoff.reset();
    }
    const drainMs = this.#drainMs;
    const retryMs =
      drainMs === undefined
        ? this.#backoff.next()
        : Math.min(drainMs, MOST_RETRY_MS) * (1 + Math.random());
    const error =
      this.#refusal ?? new ConnectionError('peer-gone', `${this.#url}: ${reason}`, { cause });
    this.#wait(retryMs, () => this.#connect());
    this.#events.status({ state: 'waiting', retryMs, error });
  }

  #isJoined(room: string): boolean {
    return this.#state.phase === 'joined' && room === this.#join.room;
  }

  #pingLater(socket: WebSocket): void {
    this.#wait(PING_INTERVAL_MS, () => this.#ping(socket, PONG_TIMEOUT_MS));
  }

  #ping(socket: WebSocket, timeoutMs: number): void {
    this.#say(socket, { type: 'ping' });
    this.#wait(timeoutMs, () => this.#lost('the server does not answer'));
  }

  #say(socket: WebSocket, message: ClientMessage): void {
    if (socket.readyState !== socket.OPEN || socket.bufferedAmount > MAX_UNSENT_BYTES) return;
    const text = JSON.stringify(message);
    if (this.#maxMessageBytes > 0 && text.length > this.#maxMessageBytes) return;
    socket.send(text);
  }

  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }
}
