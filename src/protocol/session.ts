import { BlockError, ConnectionError, ProtocolError } from '../errors.ts';
import type { Channel, Frame } from './channel.ts';
import type { Dialect, DialectHost, OpenState, SessionState } from './dialect.ts';
import { MAX_REPLICA_ID_BYTES, MIN_WINDOW_BYTES } from './messages.ts';
import { NativeDialect } from './native.ts';
import type { Compression } from './outbox.ts';
export type { Amount, SessionState, SyncProgress } from './dialect.ts';
import { looksOriginal, ORIGINAL_FRAME_BYTES, OriginalDialect } from './original.ts';
import type { Replica } from './replica.ts';
import { type SessionTrace, Trace } from './trace.ts';
import { tell } from '../tell.ts';
import { overLimit, sessionEnded } from './violations.ts';

/** How many bytes of CAR stream a session takes beyond those it has stored: 4 MiB. */
export const RECEIVE_WINDOW_BYTES: number = 4 * 1024 * 1024;

export interface SessionOptions {
  /**
   * `first` (default): say hello at once. `after-peer`: let the other side open, so that a peer of
   * the original form never sees a frame that it cannot read.
   */
  greet?: 'first' | 'after-peer';
  /** With `after-peer`: say hello after this long in silence. Default 1,000. */
  silenceMs?: number;
  /** How long the other side may take for its first message. Default 30,000. */
  helloTimeoutMs?: number;
  /** How long `close` waits for what is under way, and for the channel. Default 5,000. */
  closeTimeoutMs?: number;
  /** Bytes taken from the other side beyond those stored. Default `RECEIVE_WINDOW_BYTES`. */
  receiveWindowBytes?: number;
  /**
   * Whether bulk is deflated on its way: `auto` (default) where the link is slower than that is. Live
   * writes are sent as they are.
   */
  compression?: Compression;
  /** The largest frame sent in the original form, if the channel takes it. Default 262,144. */
  originalFrameBytes?: number;
  /**
   * False: nothing of the other side is stored here, it may only read. It is told so and sends nothing;
   * a block that it sends all the same ends the session with ProtocolError `read-only`. Default true.
   */
  takes?: boolean;
  /** Who is at the other end, for `traceSync`. */
  peer?: string | undefined;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/**
 * One conversation with one peer: brings both replicas to the same blocks, then keeps them there.
 *
 * Which form it takes is decided by the first frame of the other side; everything else here is the
 * same for both forms: state, waiting, and the one way to an end. Whatever goes wrong, in a frame,
 * in the replica or on the channel, goes to `#fail`; no channel callback throws.
 */
export class Session {
  readonly #channel: Channel;
  readonly #replica: Replica;
  readonly #options: Required<Omit<SessionOptions, 'peer'>>;
  readonly #trace: SessionTrace;
  readonly #listeners = new Set<(state: SessionState) => void>();
  /** Who waits for what the replica held when they asked, and who waits for the first sync. */
  readonly #synced = new Set<Waiter>();
  readonly #firstSynced = new Set<Waiter>();
  #state: SessionState = { kind: 'greeting' };
  #dialect: Dialect | undefined;
  #heard = false;
  #opened = false;
  #channelClosed = false;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #helloTimer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #over: Promise<void>;
  #settleOver: () => void = () => {};

  /** @throws ProtocolError `limit-exceeded` for a window or a replica id out of bounds */
  constructor(channel: Channel, replica: Replica, { peer, ...options }: SessionOptions = {}) {
    this.#channel = channel;
    this.#replica = replica;
    this.#trace = Trace.of(replica).session(peer);
    this.#options = {
      greet: 'first',
      silenceMs: 1000,
      helloTimeoutMs: 30_000,
      closeTimeoutMs: 5000,
      receiveWindowBytes: RECEIVE_WINDOW_BYTES,
      compression: 'auto',
      originalFrameBytes: ORIGINAL_FRAME_BYTES,
      takes: true,
      ...options,
    };
    if (
      this.#options.receiveWindowBytes < MIN_WINDOW_BYTES ||
      (replica.id?.length ?? 0) > MAX_REPLICA_ID_BYTES
    ) {
      throw overLimit('the receive window is too small, or the id of the replica too long');
    }
    this.#over = new Promise((resolve) => {
      this.#settleOver = resolve;
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Calls the listener with every new state; returns the function that ends this. */
  subscribe(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Talks until the end. Resolves when either side closed in order.
   * @throws ProtocolError when one side broke the protocol or could not store, with the cause
   * @throws ConnectionError `peer-gone` when the channel closed with something under way
   */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /**
   * Resolves when the other side has stored everything that the replica holds now. A peer of the
   * original form acknowledges nothing: there it means handed to the channel.
   * @throws ProtocolError `read-only` when the other side takes nothing from this one (`takes`), whether
   *   it holds the same or not; the session goes on
   * @throws the session's error, or ConnectionError `closed`, when the session ends before, or is
   *   closing: what is written then is no longer sent
   */
  async synced(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#closing !== undefined && this.#state.kind !== 'ended') {
      throw new ConnectionError('closed', 'the session is closing');
    }
    return this.#wait(this.#synced, options.signal, (waiter) => {
      this.#dialect?.whenStored((refusal) => settle(waiter, refusal));
    });
  }

  /**
   * Resolves when the first sync is complete in both directions; of a side that takes nothing, in the
   * one that there is.
   * @throws like `synced`
   */
  firstSync(options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#wait(this.#firstSynced, options.signal, (waiter) => {
      if (this.#state.kind === 'live') waiter.resolve();
    });
  }

  /** Ends in order: what was written before is delivered if that works within `closeTimeoutMs`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends at once; `run` rejects with the error, if there is one. */
  destroy(error?: Error): void {
    this.#end(error, 'destroy');
  }

  // --- the course of a session ---

  async #run(): Promise<void> {
    if (this.#state.kind !== 'ended') {
      this.#opened = true;
      if (this.#trace.isHeard) this.#trace.tell({ kind: 'opened' });
      this.#helloTimer = setTimeout(() => {
        this.#fail(new ProtocolError('hello-timeout', 'the other side did not say hello'));
      }, this.#options.helloTimeoutMs);
      try {
        if (this.#options.greet === 'first') this.#speak('native');
        else this.#silenceTimer = setTimeout(() => this.#onSilence(), this.#options.silenceMs);
        this.#channel.start({
          frame: (frame) => this.#onFrame(frame),
          closed: (error) => this.#onClosed(error),
        });
      } catch (error) {
        this.#fail(error);
      }
    }
    await this.#over;
    if (this.#state.kind === 'ended' && this.#state.error) throw this.#state.error;
  }

  #speak(form: 'native' | 'original'): void {
    this.#dialect?.stop();
    const host: DialectHost = {
      channel: this.#channel,
      replica: this.#replica,
      // Not the session itself: replicas keep it beside what waits.
      origin: {},
      trace: this.#trace,
      send: (frame, type) => this.#send(frame, type),
      setState: (state) => this.#setState(state),
      fail: (error) => this.#fail(error),
      peerLeaves: () => void this.close(),
    };
    const { receiveWindowBytes, compression, originalFrameBytes, takes } = this.#options;
    const dialect =
      form === 'native'
        ? new NativeDialect(host, { windowBytes: receiveWindowBytes, compression, takes })
        : new OriginalDialect(host, originalFrameBytes, takes);
    this.#dialect = dialect;
    dialect.start();
    for (const waiter of this.#synced) {
      dialect.whenStored((refusal) => settle(waiter, refusal));
    }
  }

  #send(frame: Frame, type: string): void {
    try {
      this.#channel.send(frame);
      this.#trace.message('out', type, frame);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#state.kind === 'ended') return;
    try {
      if (!this.#heard) {
        this.#heard = true;
        clearTimeout(this.#silenceTimer);
        if (looksOriginal(frame)) this.#speak('original');
        else if (this.#dialect === undefined) this.#speak('native');
      }
      this.#dialect?.frame(frame);
    } catch (error) {
      this.#fail(error);
    }
  }

  #onSilence(): void {
    try {
      this.#speak('native');
    } catch (error) {
      this.#fail(error);
    }
  }

  #onClosed(error: Error | undefined): void {
    this.#channelClosed = true;
    if (this.#state.kind === 'ended') return;
    const settled = this.#dialect?.settle() ?? Promise.resolve(false);
    settled
      .then((orderly) => {
        if (orderly && error === undefined) return this.#end(undefined, 'close');
        const message = 'the connection ended with the sync under way';
        return this.#fail(new ConnectionError('peer-gone', message, error && { cause: error }));
      })
      .catch((failure: unknown) => this.#fail(failure));
  }

  async #close(): Promise<void> {
    if (this.#state.kind !== 'ended') {
      const finishing = this.#channelClosed ? undefined : this.#dialect?.finish();
      // When the session fails meanwhile, `run` tells; closing is then done.
      const finished = finishing?.catch((error: unknown) => this.#fail(error));
      const waited = Promise.race([finished, this.#over]);
      const inTime = await within(this.#options.closeTimeoutMs, waited);
      this.#end(undefined, inTime ? 'close' : 'destroy');
    }
    await this.#over;
  }

  #fail(error: unknown): void {
    if (this.#state.kind === 'ended') return;
    const named = sessionError(error);
    try {
      if (!this.#channelClosed) this.#dialect?.abort(named);
    } catch {
      // The channel does not take the farewell: the error that counts is told below.
    }
    this.#end(named, 'close');
  }

  /** The one way to an end. */
  #end(error: Error | undefined, channel: 'close' | 'destroy'): void {
    if (this.#state.kind === 'ended') return;
    clearTimeout(this.#silenceTimer);
    clearTimeout(this.#helloTimer);
    this.#dialect?.stop();
    this.#setState(error === undefined ? { kind: 'ended' } : { kind: 'ended', error });
    if (this.#opened && this.#trace.isHeard) this.#trace.tell({ kind: 'closed', error });
    const reason = error ?? sessionEnded();
    for (const waiter of [...this.#synced, ...this.#firstSynced]) waiter.reject(reason);
    this.#leaveChannel(error, channel).then(this.#settleOver, this.#settleOver);
  }

  async #leaveChannel(error: Error | undefined, how: 'close' | 'destroy'): Promise<void> {
    const closed =
      how === 'close' && (await within(this.#options.closeTimeoutMs, this.#channel.close()));
    if (!closed) this.#channel.destroy(error);
  }

  #setState(state: OpenState | SessionState): void {
    if (this.#state.kind === 'ended') return;
    this.#state = state;
    if (state.kind !== 'greeting') clearTimeout(this.#helloTimer);
    if (state.kind === 'live') for (const waiter of this.#firstSynced) waiter.resolve();
    for (const listener of this.#listeners) tell(listener, state);
  }

  #wait(
    waiters: Set<Waiter>,
    signal: AbortSignal | undefined,
    begin: (waiter: Waiter) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state.kind === 'ended') {
        reject(this.#state.error ?? sessionEnded());
        return;
      }
      signal?.throwIfAborted();
      const forget = (): void => {
        waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        resolve: () => {
          forget();
          resolve();
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort);
      waiters.add(waiter);
      begin(waiter);
    });
  }
}

// --- helpers ---

function settle(waiter: Waiter, refusal: Error | undefined): void {
  if (refusal === undefined) waiter.resolve();
  else waiter.reject(refusal);
}

/** True when the promise resolves in time; false when it rejects or takes longer. */
function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(false), milliseconds);
    const settle = (inTime: boolean): void => {
      clearTimeout(timer);
      resolve(inTime);
    };
    promise.then(
      () => settle(true),
      () => settle(false),
    );
  });
}

function sessionError(error: unknown): Error {
  if (error instanceof ProtocolError || error instanceof ConnectionError) return error;
  if (error instanceof BlockError) {
    const code = error.code === 'refused' ? 'refused' : 'bad-block';
    return new ProtocolError(code, error.message, { cause: error });
  }
  return new ProtocolError('storage-failed', 'the replica failed', { cause: error });
}
