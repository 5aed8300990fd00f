import { ConnectionError } from '../../src/errors.ts';
import type { Channel, ChannelHandlers, Frame } from '../../src/protocol/channel.ts';
import { channelClosed, checkFrameSize, frameBytes, Inbox } from '../../src/transports/inbox.ts';
import type { Random } from '../support/random.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface LinkOptions {
  /** By direction: from the first end, from the second. */
  readonly latencyMs: readonly [number, number];
  readonly bytesPerMs: readonly [number, number];
  /** Each frame takes up to this much longer; the order stays. */
  readonly jitterMs: number;
  readonly maxFrameBytes: number;
  /** Unsent bytes from which on an end is `congested`. */
  readonly highWaterMark: number;
  /** Told of each frame as it arrives, before anybody reads it. */
  readonly arrives: (frame: Frame, from: 0 | 1) => void;
}

/** Two joined channels on virtual time, with a line between them that can be cut at any moment. */
export class SimulatedLink {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly options: LinkOptions;
  readonly ends: readonly [SimulatedChannel, SimulatedChannel];

  constructor(clock: VirtualClock, random: Random, options: LinkOptions) {
    this.clock = clock;
    this.random = random;
    this.options = options;
    this.ends = [new SimulatedChannel(this, 0), new SimulatedChannel(this, 1)];
  }

  get isOver(): boolean {
    return this.ends.every((end) => end.isClosed);
  }

  /** What is on its way is lost; each end notices after its own time. */
  cut(noticeMs: readonly [number, number]): void {
    this.ends.forEach((end, side) => {
      end.deafen();
      this.clock.after(noticeMs[side]!, () => {
        end.end(new ConnectionError('peer-gone', 'the line was cut'));
      });
    });
  }
}

export class SimulatedChannel implements Channel {
  readonly maxFrameBytes: number;
  /** What `send` took so far. */
  bytesSent = 0;
  readonly #link: SimulatedLink;
  readonly #side: 0 | 1;
  readonly #inbox: Inbox = new Inbox((error) => this.destroy(error));
  #state: 'open' | 'closing' | 'closed' = 'open';
  #deaf = false;
  #unsentBytes = 0;
  #lineFreeAtMs = 0;
  #lastArrivalMs = 0;
  #drainWaiters: (() => void)[] = [];
  readonly #closed: Promise<void>;
  #resolveClosed: () => void = () => undefined;

  constructor(link: SimulatedLink, side: 0 | 1) {
    this.maxFrameBytes = link.options.maxFrameBytes;
    this.#link = link;
    this.#side = side;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get congested(): boolean {
    return this.#unsentBytes >= this.#link.options.highWaterMark;
  }

  start(handlers: ChannelHandlers): void {
    this.#inbox.start(handlers);
  }

  send(frame: Frame): void {
    if (this.#state !== 'open') throw channelClosed();
    const bytes = frameBytes(frame);
    checkFrameSize(bytes, this.maxFrameBytes);
    this.bytesSent += bytes;
    this.#carry(bytes, typeof frame === 'string' ? frame : frame.slice());
  }

  async drained(): Promise<void> {
    if (!this.congested || this.#state === 'closed') return;
    await new Promise<void>((resolve) => this.#drainWaiters.push(resolve));
  }

  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#carry(0, undefined);
    }
    return this.#closed;
  }

  destroy(error?: Error): void {
    if (this.#state === 'closed') return;
    const { clock, options } = this.#link;
    const other = this.#other;
    this.end(error);
    clock.after(options.latencyMs[this.#side], () => other.end(undefined));
  }

  /** Nothing that was sent before arrives any more, at either end. */
  deafen(): void {
    this.#deaf = true;
  }

  end(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#unsentBytes = 0;
    this.#wakeDrainWaiters();
    queueMicrotask(() => {
      this.#inbox.end(error);
      this.#resolveClosed();
    });
  }

  get #other(): SimulatedChannel {
    return this.#link.ends[1 - this.#side]!;
  }

  #carry(bytes: number, frame: Frame | undefined): void {
    const { clock, random, options } = this.#link;
    const sentAtMs =
      Math.max(clock.nowMs, this.#lineFreeAtMs) + bytes / options.bytesPerMs[this.#side];
    const travelMs = options.latencyMs[this.#side] + random.below(options.jitterMs + 1);
    const arrivalMs = Math.max(this.#lastArrivalMs, sentAtMs + travelMs);
    this.#lineFreeAtMs = sentAtMs;
    this.#lastArrivalMs = arrivalMs;
    this.#unsentBytes += bytes;
    clock.at(sentAtMs, () => {
      if (this.#state === 'closed') return;
      this.#unsentBytes -= bytes;
      if (!this.congested) this.#wakeDrainWaiters();
    });
    clock.at(arrivalMs, () => this.#arrive(frame));
  }

  #arrive(frame: Frame | undefined): void {
    const other = this.#other;
    if (this.#deaf || this.#state === 'closed') return;
    if (frame === undefined) {
      other.end(undefined);
      this.end(undefined);
    } else if (!other.isClosed) {
      this.#link.options.arrives(frame, this.#side);
      // The line may have been cut within the frame.
      if (!this.#deaf) other.#inbox.frame(frame);
    }
  }

  #wakeDrainWaiters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const wake of waiters) wake();
  }
}
