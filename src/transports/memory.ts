import { ConnectionError } from '../errors.ts';
import type { Channel, ChannelHandlers, Frame } from '../protocol/channel.ts';
import { DrainWaiters } from './drain-waiters.ts';
import { channelClosed, checkFrameSize, frameBytes, Inbox } from './inbox.ts';

export interface MemoryChannelOptions {
  /** Default 65,536. */
  maxFrameBytes?: number;
  /** Bytes on their way in one direction from which on it is `congested`. Default 1 MiB. */
  highWaterMark?: number;
  /** Each frame takes between 0 and this many milliseconds; the order stays. Default 0. */
  maxDelayMs?: number;
  /** Seed of the delays. Default 1. */
  seed?: number;
}

type Parcel = { readonly due: number; readonly bytes: number; readonly frame: Frame | undefined };

type State = 'open' | 'closing' | 'closed';

/** Two joined channels in one process. Delivery is asynchronous: never within `send`. */
export function createMemoryChannelPair(
  options: MemoryChannelOptions = {},
): [MemoryChannel, MemoryChannel] {
  const random = seededRandom(options.seed ?? 1);
  const alice = new MemoryChannel(options, random);
  const bob = new MemoryChannel(options, random);
  alice.join(bob);
  bob.join(alice);
  return [alice, bob];
}

export class MemoryChannel implements Channel {
  readonly maxFrameBytes: number;
  /** What `send` took so far; text counts in UTF-8. */
  bytesSent = 0;
  framesSent = 0;

  readonly #highWaterMark: number;
  readonly #maxDelayMs: number;
  readonly #random: () => number;
  readonly #inbox: Inbox = new Inbox((error) => this.destroy(error));
  /** Itself until joined. */
  #other: MemoryChannel = this;
  #state: State = 'open';
  #parcels: Parcel[] = [];
  #parcelBytes = 0;
  #lastDue = 0;
  #scheduled = false;
  #held = false;
  readonly #drainWaiters = new DrainWaiters();
  /** Resolves when the channel has closed, by whichever side. */
  readonly ended: Promise<void>;
  #resolveEnded: () => void = () => undefined;

  constructor(options: MemoryChannelOptions, random: () => number) {
    this.maxFrameBytes = options.maxFrameBytes ?? 65_536;
    this.#highWaterMark = options.highWaterMark ?? 1024 * 1024;
    this.#maxDelayMs = options.maxDelayMs ?? 0;
    this.#random = random;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  join(other: MemoryChannel): void {
    this.#other = other;
  }

  get congested(): boolean {
    return this.#parcelBytes >= this.#highWaterMark;
  }

  start(handlers: ChannelHandlers): void {
    this.#inbox.start(handlers);
  }

  send(frame: Frame): void {
    if (this.#state !== 'open') throw channelClosed();
    const bytes = frameBytes(frame);
    checkFrameSize(bytes, this.maxFrameBytes);
    this.bytesSent += bytes;
    this.framesSent += 1;
    // A copy, as on a real wire: what the receiver does to its bytes cannot reach the sender's.
    this.#enqueue(typeof frame === 'string' ? frame : new Uint8Array(frame), bytes);
  }

  async drained(): Promise<void> {
    if (!this.congested || this.#state === 'closed') return;
    await this.#drainWaiters.wait();
  }

  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#enqueue(undefined, 0);
    }
    return this.ended;
  }

  destroy(error?: Error): void {
    if (this.#state === 'closed') return;
    const other = this.#other;
    this.#end(error);
    // Over a line that is held the other side hears of nothing.
    if (!this.#held) setTimeout(() => other.#end(undefined), 0);
  }

  /** The line is down for a while: what this side sends waits on its way. */
  hold(): void {
    this.#held = true;
  }

  /** The line is up again, and nothing was lost. */
  release(): void {
    this.#held = false;
    if (this.#state === 'closed') setTimeout(() => this.#other.#end(undefined), 0);
    else this.#schedule();
  }

  /** Breaks the line: what is on its way either way is lost, and both sides close with `peer-gone`. */
  cut(): void {
    const gone = new ConnectionError('peer-gone', 'the line was cut');
    this.#end(gone);
    this.#other.#end(gone);
  }

  #enqueue(frame: Frame | undefined, bytes: number): void {
    const delay = this.#maxDelayMs > 0 ? this.#random() * this.#maxDelayMs : 0;
    const due = delay > 0 ? Math.max(this.#lastDue, performance.now() + delay) : this.#lastDue;
    this.#lastDue = due;
    this.#parcels.push({ due, bytes, frame });
    this.#parcelBytes += bytes;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#held) return;
    const first = this.#parcels[0];
    if (first === undefined) return;
    this.#scheduled = true;
    const deliver = (): void => {
      this.#scheduled = false;
      this.#deliverDue();
    };
    const wait = first.due - performance.now();
    if (wait <= 0 && typeof setImmediate === 'function') setImmediate(deliver);
    else setTimeout(deliver, Math.max(0, wait));
  }

  #deliverDue(): void {
    if (this.#held) return;
    const now = performance.now();
    let count = 0;
    // Timers may fire a little early by this clock; a parcel due within 1 ms goes along.
    while (count < this.#parcels.length && this.#parcels[count]!.due <= now + 1) count++;
    for (const { frame, bytes } of this.#parcels.splice(0, count)) {
      if (this.#state === 'closed') return;
      this.#parcelBytes -= bytes;
      if (frame === undefined) {
        this.#other.#end(undefined);
        this.#end(undefined);
        return;
      }
      if (this.#other.#state !== 'closed') this.#other.#inbox.frame(frame);
    }
    if (!this.congested) this.#drainWaiters.wake();
    this.#schedule();
  }

  #end(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#parcels = [];
    this.#parcelBytes = 0;
    this.#drainWaiters.wake();
    queueMicrotask(() => {
      this.#inbox.end(error);
      this.#resolveEnded();
    });
  }
}

/** mulberry32: numbers from 0 up to 1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
