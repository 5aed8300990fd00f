/** One message of a channel, kept whole: bytes, or text where the other side sent text. */
export type Frame = Uint8Array | string;

export interface ChannelHandlers {
  /** Called once per frame, in the order sent. The bytes belong to the callee. */
  frame(frame: Frame): void;
  /** Called once, after the last frame: without an error when either side closed in order. */
  closed(error?: Error): void;
}

/**
 * Ordered, reliable frames to one peer: all that a session knows of a network.
 *
 * A channel is open from its creation until `closed` is called. It never drops a frame in silence:
 * what cannot be delivered closes it. It bounds what it buffers by asking the sender to look at
 * `congested`; the receiving side has no brake, so protocols above bring credits of their own.
 */
export interface Channel {
  /** The largest frame in bytes that either side takes; a text frame counts its UTF-8 bytes. */
  readonly maxFrameBytes: number;
  /** True while the channel holds enough unsent bytes: wait for `drained()` before sending bulk. */
  readonly congested: boolean;
  /** Starts delivery, with the frames that arrived before. Call it once. */
  start(handlers: ChannelHandlers): void;
  /**
   * Queues one frame. The bytes must not be changed afterwards.
   * @throws ConnectionError `closed` after the channel closed
   * @throws ProtocolError `frame-too-large` beyond `maxFrameBytes`
   */
  send(frame: Frame): void;
  /** Resolves when the channel wants more bytes, or when it closes (look at what `send` then says). */
  drained(): Promise<void>;
  /** Delivers what is queued, then closes. Resolves when closed; later calls get the same promise. */
  close(): Promise<void>;
  /** Closes at once; what is queued is lost. */
  destroy(error?: Error): void;
}
