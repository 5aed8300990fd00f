import type { Channel, ChannelHandlers, Frame } from '../src/protocol/channel.ts';
import { decodeMessage } from '../src/protocol/messages.ts';
import type { MemoryChannel } from '../src/transports/memory.ts';
import type { Pipe } from './peer.ts';

/**
 * Notes what two sessions say over a pipe before the first block flows. Trips are logical: a frame is
 * one trip later than the latest frame that its sender had read before it.
 */
export class Tap {
  readonly #pipe: Pipe;
  readonly #startedAt = performance.now();
  /** The latest trip that each side has read, and the trips of the frames on their way to it. */
  readonly #read: [number, number] = [0, 0];
  readonly #underWay: [number[], number[]] = [[], []];
  #first: { readonly bytes: number; readonly ms: number; readonly trips: number } | undefined;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** What was sent both ways before the first frame with blocks left, and the trips that it took. */
  get beforeBlocks(): { readonly bytes: number; readonly ms: number; readonly trips: number } {
    return this.#first ?? { bytes: this.#bytes, ms: NaN, trips: NaN };
  }

  channel(side: 0 | 1): Channel {
    const inner: MemoryChannel = this.#pipe[side];
    return {
      maxFrameBytes: inner.maxFrameBytes,
      get congested() {
        return inner.congested;
      },
      start: (handlers) => inner.start(this.#listening(side, handlers)),
      send: (frame) => {
        this.#note(side, frame);
        inner.send(frame);
      },
      drained: () => inner.drained(),
      close: () => inner.close(),
      destroy: (error) => inner.destroy(error),
    };
  }

  #listening(side: 0 | 1, handlers: ChannelHandlers): ChannelHandlers {
    return {
      frame: (frame) => {
        const trip = this.#underWay[side].shift()!;
        this.#read[side] = Math.max(this.#read[side], trip);
        handlers.frame(frame);
      },
      closed: (error) => handlers.closed(error),
    };
  }

  #note(side: 0 | 1, frame: Frame): void {
    const trips = this.#read[side];
    this.#underWay[side === 0 ? 1 : 0].push(trips + 1);
    if (this.#first !== undefined || decodeMessage(frame as Uint8Array).kind !== 'car') return;
    this.#first = { bytes: this.#bytes, ms: performance.now() - this.#startedAt, trips };
  }

  get #bytes(): number {
    return this.#pipe[0].bytesSent + this.#pipe[1].bytesSent;
  }
}
