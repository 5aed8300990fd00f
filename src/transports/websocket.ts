/**
 * A Channel over a WebSocket: the browser's, or the one of `ws` on either side. One message is one
 * frame. TCP is the brake, and `bufferedAmount` tells of it.
 *
 * WebSocket tells nobody that the other side has vanished, and browsers can neither send pings nor see
 * them. So both sides send a keepalive of their own, which also keeps the connection open in proxies
 * that close idle ones. Text messages that begin with U+0000 are the channel's own for that.
 */
import { ConnectionError, ProtocolError } from '../errors.ts';
import type { Channel, ChannelHandlers, Frame } from '../protocol/channel.ts';
import { DrainWaiters } from './drain-waiters.ts';
import { channelClosed, checkFrameSize, frameBytes, Inbox } from './inbox.ts';
import type { WebSocketClass } from './websocket-class.ts';

/** The largest frame either way, in bytes. */
export const MAX_WEBSOCKET_FRAME_BYTES = 262_144;

/** The largest message, in bytes: a text frame that begins like one of the channel's own has one more. */
export const MAX_WEBSOCKET_MESSAGE_BYTES: number = MAX_WEBSOCKET_FRAME_BYTES + 1;

/** A side that has heard nothing from one keepalive to the second after it takes the other for gone. */
export const DEFAULT_KEEP_ALIVE_MS = 25_000;

export interface WebSocketChannelOptions {
  /**
   * How often to ask the other side for a sign of life, in ms. Default 25,000: a vanished peer is gone
   * after 50 seconds at most.
   */
  readonly keepAliveMs?: number | undefined;
}

const BUFFER_HIGH_BYTES = 1024 * 1024;
const BUFFER_LOW_BYTES = 256 * 1024;
const POLL_INTERVAL_MS = 2;
/** How long the farewell of a destroyed channel may take before the socket is dropped. */
const DESTROY_TIMEOUT_MS = 1000;

const CLOSE_NORMAL = 1000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_NO_STATUS = 1005;
const CLOSE_TOO_BIG = 1009;
const ORDERLY = [CLOSE_NORMAL, CLOSE_GOING_AWAY, CLOSE_NO_STATUS];

const OWN = '\0';
const PING = `${OWN}ping`;
const PONG = `${OWN}pong`;

/**
 * Opens a WebSocket as a Channel.
 * @throws ConnectionError `connect-failed`, `connect-timeout`, or `closed` when the signal aborts
 */
export function openWebSocket(
  url: string,
  WebSocketClass: WebSocketClass,
  options: WebSocketChannelOptions & { timeoutMs: number; signal: AbortSignal },
): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const unwanted = new ConnectionError('closed', 'closed while connecting');
    if (options.signal.aborted) throw unwanted;
    const socket = createSocket(WebSocketClass, url);
    const failed = (error: Error): void => {
      settle();
      reject(error);
      abandon(socket);
    };
    const onOpen = (): void => {
      settle();
      resolve(new WebSocketChannel(socket, options));
    };
    // Node's tells why, browsers keep it to themselves; after it not all of them say `close`.
    const onError = (event: Event): void => failed(connectFailed(url, errorOf(event)));
    const onClose = (): void => failed(connectFailed(url, undefined));
    const onAbort = (): void => failed(unwanted);
    const timer = setTimeout(() => {
      const seconds = options.timeoutMs / 1000;
      failed(new ConnectionError('connect-timeout', `${url}: no connection within ${seconds} s`));
    }, options.timeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      socket.removeEventListener('open', onOpen);
      socket.removeEventListener('error', onError);
      socket.removeEventListener('close', onClose);
    };
    // Without a listener Node's errors would be thrown, also that of giving up the attempt.
    socket.addEventListener('error', () => {});
    socket.addEventListener('open', onOpen);
    socket.addEventListener('error', onError);
    socket.addEventListener('close', onClose);
    options.signal.addEventListener('abort', onAbort);
  });
}

type ChannelState =
  | 'open'
  /** `close` was called: what is buffered leaves first, then the closing handshake. */
  | 'closing'
  | 'closed';

export class WebSocketChannel implements Channel {
  readonly maxFrameBytes: number = MAX_WEBSOCKET_FRAME_BYTES;

  readonly #socket: WebSocket;
  readonly #inbox: Inbox = new Inbox((error) => this.destroy(error));
  readonly #keepAlive: ReturnType<typeof setInterval>;
  #state: ChannelState = 'open';
  #poll: ReturnType<typeof setInterval> | undefined;
  readonly #drainWaiters = new DrainWaiters();
  #failure: unknown;
  /** Since the last keepalive. */
  #heard = true;
  #bytesSent = 0;
  /** At the last keepalive: what waited here, and what had left. */
  #unsentBytes = 0;
  #bytesLeft = 0;
  readonly #closed: Promise<void>;
  #resolveClosed!: () => void;

  /** @param socket an open one that nobody else listens to */
  constructor(socket: WebSocket, options: WebSocketChannelOptions = {}) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', (event: MessageEvent<unknown>) => {
      this.#received(event.data);
    });
    socket.addEventListener('error', (event) => (this.#failure = errorOf(event)));
    socket.addEventListener('close', ({ code, reason }: CloseEvent) => {
      this.#end(endError(code, reason, this.#failure));
    });
    const { keepAliveMs = DEFAULT_KEEP_ALIVE_MS } = options;
    this.#keepAlive = setInterval(() => this.#askForLife(), keepAliveMs);
  }

  get congested(): boolean {
    return this.#socket.bufferedAmount >= BUFFER_HIGH_BYTES;
  }

  start(handlers: ChannelHandlers): void {
    this.#inbox.start(handlers);
  }

  send(frame: Frame): void {
    if (this.#state !== 'open') throw channelClosed();
    const bytes = frameBytes(frame);
    checkFrameSize(bytes, this.maxFrameBytes);
    const isLikeOwn = typeof frame === 'string' && frame.startsWith(OWN);
    this.#write(isLikeOwn ? `${OWN}${frame}` : frame, bytes);
  }

  async drained(): Promise<void> {
    if (this.#state === 'closed' || !this.congested) return;
    const drained = this.#drainWaiters.wait();
    this.#startPolling();
    await drained;
  }

  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#startPolling();
      this.#lookAtBuffer();
    }
    return this.#closed;
  }

  destroy(error?: Error): void {
    if (this.#state === 'closed') return;
    this.#end(error);
    abandon(this.#socket);
  }

  #write(message: Frame, bytes: number): void {
    // Between its closing and its `close` event a WebSocket drops what it is given, as is told there.
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // Cast: the types refuse bytes over shared memory, which the platform refuses as well.
    this.#socket.send(message as Uint8Array<ArrayBuffer>);
    this.#bytesSent += bytes;
  }

  #received(data: unknown): void {
    if (this.#state === 'closed') return;
    this.#heard = true;
    // In the background browsers slow timers down, but not messages.
    if (this.#poll !== undefined) this.#lookAtBuffer();
    const frame = typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer);
    if (typeof frame === 'string' && frame.startsWith(OWN)) this.#receivedOwn(frame);
    else this.#receivedFrame(frame);
  }

  #receivedFrame(frame: Frame): void {
    try {
      checkFrameSize(frameBytes(frame), MAX_WEBSOCKET_FRAME_BYTES);
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    this.#inbox.frame(frame);
  }

  #receivedOwn(message: string): void {
    if (message.startsWith(`${OWN}${OWN}`)) this.#receivedFrame(message.slice(OWN.length));
    else if (message === PING) this.#answer();
    else if (message !== PONG) {
      this.destroy(
        new ProtocolError('malformed-frame', 'a text of the channel itself that is unknown'),
      );
    }
  }

  /** Who asks without end and reads no answers gets none that would have to wait here. */
  #answer(): void {
    if (!this.congested) this.#write(PONG, PONG.length);
  }

  #askForLife(): void {
    const unsent = this.#socket.bufferedAmount;
    const left = this.#bytesSent - unsent;
    // The system took bytes that it had no room for before: the other side's has confirmed some.
    const moved = this.#unsentBytes > 0 && left > this.#bytesLeft;
    if (!this.#heard && !moved) {
      this.destroy(new ConnectionError('peer-gone', 'the peer is gone: it does not answer'));
      return;
    }
    this.#heard = false;
    this.#unsentBytes = unsent;
    this.#bytesLeft = left;
    if (!this.congested) this.#write(PING, PING.length);
  }

  #startPolling(): void {
    this.#poll ??= setInterval(() => this.#lookAtBuffer(), POLL_INTERVAL_MS);
  }

  #lookAtBuffer(): void {
    const unsent = this.#socket.bufferedAmount;
    if (unsent <= BUFFER_LOW_BYTES) this.#drainWaiters.wake();
    if (this.#state === 'closing' && unsent === 0) {
      this.#stopPolling();
      this.#socket.close(CLOSE_NORMAL);
    } else if (this.#state === 'open' && this.#drainWaiters.count === 0) {
      this.#stopPolling();
    }
  }

  #end(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearInterval(this.#keepAlive);
    this.#stopPolling();
    this.#drainWaiters.wake();
    // Not within `destroy`: its caller is done first.
    queueMicrotask(() => {
      this.#inbox.end(error);
      this.#resolveClosed();
    });
  }

  #stopPolling(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
  }
}

// --- sockets ---

/** A WebSocket of Node takes options, which browsers pass over. */
function createSocket(WebSocketClass: WebSocketClass, url: string): WebSocket {
  const Configurable = WebSocketClass as new (
    url: string,
    protocols: string[],
    options: object,
  ) => WebSocket;
  return new Configurable(url, [], {
    maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
    // Bulk is deflated by the session, where that pays.
    perMessageDeflate: false,
  });
}

/** Says goodbye, and lets go of the socket soon, where the platform can. */
function abandon(socket: WebSocket & { terminate?: () => void }): void {
  socket.close(CLOSE_NORMAL);
  if (socket.terminate === undefined || socket.readyState === socket.CLOSED) return;
  const timer = setTimeout(() => socket.terminate?.(), DESTROY_TIMEOUT_MS);
  socket.addEventListener('close', () => clearTimeout(timer));
}

// --- errors ---

function connectFailed(url: string, cause: unknown): ConnectionError {
  const reason = cause instanceof Error ? cause.message : 'refused, or nobody is there';
  return new ConnectionError('connect-failed', `${url}: no connection: ${reason}`, { cause });
}

function endError(code: number, reason: string, failure: unknown): Error | undefined {
  if (code === CLOSE_TOO_BIG || isTooBig(failure)) {
    const message = `a frame of more than ${MAX_WEBSOCKET_FRAME_BYTES} bytes`;
    return new ProtocolError('frame-too-large', message, { cause: failure });
  }
  if (failure === undefined && ORDERLY.includes(code)) return undefined;
  const why = failure instanceof Error ? failure.message : `${code} ${reason}`.trimEnd();
  const message = `the connection was lost: ${why}`;
  return new ConnectionError('peer-gone', message, { cause: failure });
}

function isTooBig(failure: unknown): boolean {
  return (
    failure instanceof Error &&
    'code' in failure &&
    failure.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
  );
}

/** The Error that an `error` event of Node carries. */
function errorOf(event: Event): unknown {
  return 'error' in event ? event.error : undefined;
}
