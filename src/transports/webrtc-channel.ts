/**
 * The frames of one WebRTC data channel. They go by a pump of our own straight to it, because
 * simple-peer's stream is three to five times slower and its `send` does not look at the buffer.
 *
 * Invariants:
 * 1. The data channel's buffer stays under BUFFER_HIGH_BYTES plus one frame. Beyond about 16 MiB
 *    Node's WebRTC drops messages without a word, and Chromium throws.
 * 2. Frames leave in the order of `send`; those beyond the mark wait in a queue of the channel.
 * 3. Every end of a peer, whatever simple-peer calls it, is one of: `closed()` after either side
 *    closed or destroyed, or `closed(error)` with a ConnectionError or ProtocolError.
 */
import { ConnectionError, ProtocolError } from '../errors.ts';
import type { Channel, ChannelHandlers, Frame } from '../protocol/channel.ts';
import type { Farewell } from './farewell.ts';
import { DrainWaiters } from './drain-waiters.ts';
import { channelClosed, checkFrameSize, frameBytes, Inbox } from './inbox.ts';

/** The largest frame taken from the other side, in bytes: the largest that WebRTC peers send. */
export const MAX_RECEIVED_FRAME_BYTES = 262_144;

export const DEFAULT_MAX_FRAME_BYTES = 65_536;
const BUFFER_HIGH_BYTES = 1024 * 1024;
const BUFFER_LOW_BYTES = 256 * 1024;
const POLL_INTERVAL_MS = 2;
/** For what the other side has not confirmed when we close; a vanished peer must not hold us. */
const CLOSE_TIMEOUT_MS = 10_000;
/** How long a side that destroys the connection waits for the other one to stop sending. */
const HALT_TIMEOUT_MS = 1000;
/** See `#linger`. The timeout for a lost packet is 0.4 s at least, and doubles when it is lost again. */
const LINGER_POLL_MS = 25;
const LINGER_QUIET_MS = 1300;
const LINGER_QUIET_ROUND_TRIPS = 4;
const LINGER_NOISE_BYTES = 500;
const LINGER_MAX_MS = 60_000;

/** What a channel needs of simple-peer. */
export interface ChannelPeer {
  readonly _pc: RTCPeerConnection | null;
  read(): unknown;
  destroy(): void;
}

export interface WebRtcChannelOptions {
  readonly maxFrameBytes: number;
  readonly farewell: Farewell;
  /** Called when nothing may be sent any more, beside the channel either. */
  halted(): void;
  /** Called when the channel has ended. */
  ended(): void;
}

type ChannelState =
  | 'open'
  /** `close` was called and frames are waiting, here or in the data channel's buffer. */
  | 'flushing'
  /** All frames are with the system, which may not have sent them yet. */
  | 'lingering'
  /** The data channel closes: what is on its way is delivered first. */
  | 'closing'
  | 'closed';

export class WebRtcChannel implements Channel {
  readonly maxFrameBytes: number;

  readonly #peer: ChannelPeer;
  readonly #data: RTCDataChannel;
  readonly #farewell: Farewell;
  readonly #options: WebRtcChannelOptions;
  readonly #inbox: Inbox = new Inbox((error) => this.destroy(error));
  #state: ChannelState = 'open';
  /** Frames from `#next` on wait for room in the data channel's buffer. */
  #queue: Frame[] = [];
  #next = 0;
  #poll: ReturnType<typeof setInterval> | undefined;
  readonly #drainWaiters = new DrainWaiters();
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  #lastBuffered = 0;
  /** An upper bound of what the data channel's buffer holds, in bytes. */
  #mostBuffered = 0;
  /** Nothing more is sent: the end is near. */
  #halted = false;
  #framesSent = 0;
  #bytesSent = 0;
  #error: Error | undefined;
  readonly #closed: Promise<void>;
  #resolveClosed!: () => void;

  constructor(peer: ChannelPeer, data: RTCDataChannel, options: WebRtcChannelOptions) {
    const { farewell, maxFrameBytes } = options;
    this.#peer = peer;
    this.#data = data;
    this.#farewell = farewell;
    this.#options = options;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const peerLimit = peer._pc?.sctp?.maxMessageSize ?? DEFAULT_MAX_FRAME_BYTES;
    this.maxFrameBytes = Math.min(maxFrameBytes, peerLimit, MAX_RECEIVED_FRAME_BYTES);
    if (hasThreshold(data)) data.bufferedAmountLowThreshold = BUFFER_LOW_BYTES;
    data.addEventListener('bufferedamountlow', () => this.#pump());
    // Messages may have come before simple-peer said `connect`; later ones go past its stream.
    for (let early = peer.read(); early !== null; early = peer.read()) this.#received(early);
    data.onmessage = (event: MessageEvent<unknown>) => this.#received(event.data);
    farewell.begin(() => this.#halt());
  }

  get congested(): boolean {
    return this.#next < this.#queue.length || this.#isFull();
  }

  start(handlers: ChannelHandlers): void {
    this.#inbox.start(handlers);
  }

  send(frame: Frame): void {
    if (this.#state !== 'open') throw channelClosed();
    const bytes = frameBytes(frame);
    checkFrameSize(bytes, this.maxFrameBytes);
    this.#framesSent += 1;
    this.#bytesSent += bytes;
    this.#queue.push(frame);
    this.#pump();
  }

  async drained(): Promise<void> {
    if (this.#state === 'closed' || !this.congested) return;
    const drained = this.#drainWaiters.wait();
    this.#pump();
    await drained;
  }

  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'flushing';
      this.#extendCloseTimer();
      this.#pump();
    }
    return this.#closed;
  }

  destroy(error?: Error): void {
    if (this.#state === 'closed') return;
    this.#error ??= error;
    this.#end(this.#error);
    this.#haltThenDestroy().catch(() => this.#peer.destroy());
  }

  /**
   * Node's WebRTC crashes the process that sends in the moment in which the other side's connection
   * ends (measured: about 1 in 100 of those destroyed in mid-transfer). So one of our own peers is
   * told to stop first; of a foreign one we can only hope.
   */
  async #haltThenDestroy(): Promise<void> {
    if (this.#data.readyState === 'open' && this.#farewell.halt()) {
      await Promise.race([this.#farewell.halted, pause(HALT_TIMEOUT_MS)]);
    }
    this.#peer.destroy();
  }

  /** simple-peer has ended, by whichever side; `failure` is what it said. */
  peerClosed(failure: Error | undefined): void {
    const orderly = failure === undefined || isAbortByPeer(failure);
    this.#end(
      orderly
        ? undefined
        : new ConnectionError('peer-gone', `the peer is gone: ${failure.message}`, {
            cause: failure,
          }),
    );
  }

  #received(data: unknown): void {
    const frame = toFrame(data);
    const bytes = frame === undefined ? Number.POSITIVE_INFINITY : frameBytes(frame);
    if (frame !== undefined && bytes <= MAX_RECEIVED_FRAME_BYTES) {
      this.#inbox.frame(frame);
      this.#farewell.frameReceived();
      return;
    }
    this.destroy(
      new ProtocolError(
        'frame-too-large',
        `the peer sent a frame of more than ${MAX_RECEIVED_FRAME_BYTES} bytes`,
      ),
    );
  }

  #pump(): void {
    if (this.#halted || (this.#state !== 'open' && this.#state !== 'flushing')) return;
    const before = this.#next;
    try {
      while (this.#next < this.#queue.length && !this.#isFull()) {
        // Cast: the types refuse bytes over shared memory, which the platform refuses as well.
        const frame = this.#queue[this.#next]!;
        this.#data.send(frame as Uint8Array<ArrayBuffer>);
        this.#mostBuffered += frameBytes(frame);
        this.#next += 1;
      }
    } catch (cause) {
      if (this.#data.readyState === 'open') this.destroy(connectionLost(cause));
      else this.#halt();
      return;
    }
    const sent = this.#next > before;
    if (sent) this.#trimQueue();
    this.#afterPump(sent);
  }

  /** The other side ends the connection: what it has sent before is still to come. */
  #halt(): void {
    this.#halted = true;
    this.#options.halted();
    this.#stopPolling();
    this.#extendCloseTimer();
  }

  #afterPump(sent: boolean): void {
    if (!this.#mustLook()) {
      this.#stopPolling();
      return;
    }
    const waiting = this.#next < this.#queue.length;
    const buffered = this.#look();
    const progress = sent || buffered < this.#lastBuffered;
    this.#lastBuffered = buffered;
    if (!waiting && buffered <= BUFFER_LOW_BYTES) this.#drainWaiters.wake();
    if (this.#state === 'flushing') {
      if (progress) this.#extendCloseTimer();
      if (!waiting && buffered === 0) {
        this.#closeData().catch((cause: unknown) => this.destroy(connectionLost(cause)));
        return;
      }
    }
    // The event tells of one crossing of the threshold only, so flushing to zero is polled for.
    if (this.#mustLook() && (!hasThreshold(this.#data) || this.#state === 'flushing')) {
      this.#poll ??= setInterval(() => this.#pump(), POLL_INTERVAL_MS);
    } else {
      this.#stopPolling();
    }
  }

  /** Whether anything depends on how full the buffer is. */
  #mustLook(): boolean {
    const waiting = this.#next < this.#queue.length;
    return waiting || this.#drainWaiters.count > 0 || this.#state === 'flushing';
  }

  /**
   * Whether the buffer is filled to the mark. In Node to ask for it costs as much as to send a small
   * frame, so it is asked only when what was sent since might fill it.
   */
  #isFull(): boolean {
    return this.#mostBuffered >= BUFFER_HIGH_BYTES && this.#look() >= BUFFER_HIGH_BYTES;
  }

  #look(): number {
    this.#mostBuffered = this.#data.bufferedAmount;
    return this.#mostBuffered;
  }

  #trimQueue(): void {
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    } else if (this.#next >= 1024) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
  }

  async #closeData(): Promise<void> {
    this.#state = 'lingering';
    this.#stopPolling();
    this.#farewell.end(this.#framesSent);
    await this.#linger();
    if (this.#stateNow() !== 'lingering') return;
    if (this.#farewell.isConfirmed) {
      this.destroy();
      return;
    }
    // Both sides then see the data channel closed, and simple-peer ends.
    this.#state = 'closing';
    this.#extendCloseTimer();
    this.#data.close();
  }

  /**
   * Waits until one of our own peers says that it has everything. Of a foreign one we can only guess
   * it: when the connection has sent no more than the noise of its upkeep for longer than a lost
   * packet would take to be sent again.
   */
  async #linger(): Promise<void> {
    const farewell = this.#farewell;
    const latest = performance.now() + LINGER_MAX_MS;
    let sent = 0;
    let quietSince = performance.now();
    while (!farewell.isConfirmed && this.#state === 'lingering' && performance.now() < latest) {
      await Promise.race([farewell.confirmed, pause(LINGER_POLL_MS)]);
      const traffic = await readTraffic(this.#peer._pc);
      // Confirmations of what comes in go out too, and are no sign of frames of ours.
      const own = traffic.sent - traffic.received / 5;
      if (own > sent + LINGER_NOISE_BYTES) {
        sent = own;
        quietSince = performance.now();
        this.#extendCloseTimer();
      }
      const quiet = Math.max(LINGER_QUIET_MS, LINGER_QUIET_ROUND_TRIPS * traffic.roundTripMs);
      // Fewer bytes on the wire than in the frames: the rest is waiting, however quiet it is.
      const mayBeSent = traffic.sent === 0 || traffic.sent >= this.#bytesSent;
      const isQuiet = performance.now() - quietSince >= quiet;
      if (!farewell.peerTakesPart && mayBeSent && isQuiet) return;
    }
  }

  /** The state after an await, when the compiler's last knowledge of it is out of date. */
  #stateNow(): ChannelState {
    return this.#state;
  }

  #extendCloseTimer(): void {
    clearTimeout(this.#closeTimer);
    // The channel may have ended while its statistics were awaited.
    if (this.#state === 'closed') return;
    this.#closeTimer = setTimeout(
      () =>
        this.destroy(
          new ConnectionError('peer-gone', 'the peer did not confirm the last frames in time'),
        ),
      CLOSE_TIMEOUT_MS,
    );
  }

  #end(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#options.ended();
    clearTimeout(this.#closeTimer);
    this.#stopPolling();
    this.#queue = [];
    this.#next = 0;
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

/** Node's WebRTC has neither the threshold nor the event. */
export function hasThreshold(data: RTCDataChannel): boolean {
  return typeof (data.bufferedAmountLowThreshold as unknown) === 'number';
}

interface Traffic {
  readonly sent: number;
  readonly received: number;
  readonly roundTripMs: number;
}

/** Bytes on the wire so far, all candidate pairs together. */
async function readTraffic(pc: RTCPeerConnection | null): Promise<Traffic> {
  let sent = 0;
  let received = 0;
  let roundTripMs = 0;
  const report = await pc?.getStats();
  report?.forEach((entry: RTCStats) => {
    if (entry.type !== 'candidate-pair') return;
    const pair = entry as RTCIceCandidatePairStats;
    sent += pair.bytesSent ?? 0;
    received += pair.bytesReceived ?? 0;
    roundTripMs = Math.max(roundTripMs, (pair.currentRoundTripTime ?? 0) * 1000);
  });
  return { sent, received, roundTripMs };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A message of a data channel, or undefined where it is neither text nor bytes. */
export function toFrame(data: unknown): Frame | undefined {
  if (typeof data === 'string') return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data))
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return undefined;
}

// --- errors ---

function connectionLost(cause: unknown): ConnectionError {
  return new ConnectionError('peer-gone', 'the connection was lost', { cause });
}

/** How Chromium and Firefox report that the other side destroyed its connection. */
function isAbortByPeer(error: Error): boolean {
  return /User-Initiated Abort|Close called/i.test(error.message);
}
