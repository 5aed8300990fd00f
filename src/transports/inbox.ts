import { ConnectionError, ProtocolError } from '../errors.ts';
import type { ChannelHandlers, Frame } from '../protocol/channel.ts';

/** What a channel keeps for a caller who has not called `start` yet: 16 MiB. */
export const MAX_UNSTARTED_BYTES: number = 16 * 1024 * 1024;

const textEncoder = new TextEncoder();

/** The size of a frame on the wire in bytes; text counts in UTF-8. */
export function frameBytes(frame: Frame): number {
  return typeof frame === 'string' ? textEncoder.encode(frame).length : frame.byteLength;
}

/** @throws ProtocolError `frame-too-large` */
export function checkFrameSize(bytes: number, maxFrameBytes: number): void {
  if (bytes <= maxFrameBytes) return;
  throw new ProtocolError(
    'frame-too-large',
    `a frame of ${bytes} bytes; this channel takes ${maxFrameBytes}`,
  );
}

export function channelClosed(): ConnectionError {
  return new ConnectionError('closed', 'the channel is closed');
}

/**
 * The receiving half that every channel shares: keeps what arrives before `start`, hands frames
 * over in order, and says `closed` once and last. A handler that throws closes its channel: frames
 * arrive in callbacks of the system, where an uncaught error would end a Node process.
 */
export class Inbox {
  readonly #failed: (error: Error) => void;
  #waiting: Frame[] = [];
  #waitingBytes = 0;
  #handlers: ChannelHandlers | undefined;
  #started = false;
  #end: { error: Error | undefined } | undefined;
  #told = false;

  /** @param failed closes the channel because of `error` */
  constructor(failed: (error: Error) => void) {
    this.#failed = failed;
  }

  /** Delivery begins in a microtask, so that the caller of `start` is done first. */
  start(handlers: ChannelHandlers): void {
    if (this.#handlers !== undefined) return;
    this.#handlers = handlers;
    queueMicrotask(() => {
      this.#started = true;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const frame of waiting) this.#deliver(frame);
      this.#tellEnd();
    });
  }

  frame(frame: Frame): void {
    if (this.#end !== undefined) return;
    if (this.#started) {
      this.#deliver(frame);
      return;
    }
    this.#waiting.push(frame);
    this.#waitingBytes += frameBytes(frame);
    if (this.#waitingBytes > MAX_UNSTARTED_BYTES) {
      this.#failed(
        new ProtocolError(
          'limit-exceeded',
          `more than ${MAX_UNSTARTED_BYTES} bytes arrived before the channel was started`,
        ),
      );
    }
  }

  end(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (this.#started) this.#tellEnd();
  }

  #deliver(frame: Frame): void {
    if (this.#told) return;
    try {
      this.#handlers?.frame(frame);
    } catch (cause) {
      this.#failed(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  #tellEnd(): void {
    if (this.#end === undefined || this.#told) return;
    this.#told = true;
    this.#handlers?.closed(this.#end.error);
  }
}
