import { ConnectionError, SignalError } from './errors.ts';
import { loadPart } from './load-part.ts';
import type { Channel } from './protocol/channel.ts';
import type { Replica } from './protocol/replica.ts';
import type { Session } from './protocol/session.ts';
import { sessionStatus, type SessionStatus } from './session-status.ts';
import { replicaForPeers, type SyncSource } from './sync-source.ts';
import { asError, Status } from './status.ts';
import type { PastedSignals } from './transports/pasted-signals.ts';
import type { DecodedSignal, SignalFormat } from './transports/signal.ts';
import type { WebRtcLink, WebRtcOptions } from './transports/webrtc.ts';

export interface SyncOptions extends Omit<WebRtcOptions, 'initiator'> {
  /** How long the other side may take for its first message, once connected. Default 30,000. */
  readonly helloTimeoutMs?: number;
  /**
   * Whether bulk is deflated on its way: `auto` (default) where the link is slower than that is. Live
   * writes are sent as they are.
   */
  readonly compression?: 'auto' | 'always' | 'never';
}

export interface OfferOptions {
  /**
   * `short` (the default): about 140 characters. `original`: base64 of the signal's JSON, the form of
   * the systems before this one.
   */
  readonly format?: SignalFormat;
}

export type SyncStatus =
  /** Nothing asked of it yet. */
  | { readonly state: 'new' }
  /** An offer is out, or being made: `connect` with the answer to it. */
  | { readonly state: 'offering' }
  /** An answer is out, or being made: the other side connects with it. */
  | { readonly state: 'accepting' }
  /** Both sides know of each other; the connection is being made. */
  | { readonly state: 'connecting' }
  | SessionStatus
  /** Over: in order without an error. */
  | { readonly state: 'closed'; readonly error?: Error };

/**
 * All that WebRTC takes in one message: the original form cannot cut its CARs into smaller ones. Our
 * own form cuts its frames at 64 KiB whatever this allows.
 */
const MAX_FRAME_BYTES = 262_144;

type Machinery = typeof import('./sync-machinery.ts');

const loadMachinery = loadPart<Machinery>(() => import('./sync-machinery.ts'), ConnectionError);

/**
 * Joins a ledger to one peer over WebRTC, introduced by two strings: one side makes an `offer`, the
 * other `accept`s it, which gives an answer, and the first `connect`s with that. From then on both
 * have what either has, now and as it is written, until one of them closes.
 *
 * A Sync serves one connection; make a new one for the next. Whatever ends it is in its last status;
 * the ledger stays whole.
 */
export class Sync {
  readonly #replica: Replica;
  readonly #options: SyncOptions;
  readonly #status: Status<SyncStatus> = new Status<SyncStatus>({ state: 'new' });
  readonly #connected: Promise<Session>;
  #settleConnected: { resolve: (session: Session) => void; reject: (error: Error) => void };
  /** Once it was needed, and could be loaded. */
  #machinery: Machinery | undefined;
  #link: WebRtcLink | undefined;
  #session: Session | undefined;
  /** The mark of the offer that this side made, to know its answer. */
  #mark: number | undefined;

  /** @param source a ledger, or a Replica of your own */
  constructor(source: SyncSource, options: SyncOptions = {}) {
    this.#replica = replicaForPeers(source);
    this.#options = options;
    this.#settleConnected = { resolve: () => {}, reject: () => {} };
    this.#connected = new Promise((resolve, reject) => {
      this.#settleConnected = { resolve, reject };
    });
    // Whoever asks for it hears of a failure; nobody has to ask, the status tells it too.
    this.#connected.catch(() => {});
  }

  get status(): SyncStatus {
    return this.#status.value;
  }

  /** Calls the listener with each new status, progress included; returns the function that ends this. */
  subscribe(listener: (status: SyncStatus) => void): () => void {
    return this.#status.subscribe(listener);
  }

  // --- the handshake ---

  /**
   * Makes the string that the other side accepts.
   * @throws SignalError `wrong-state` when this Sync was used before
   * @throws ConnectionError `no-webrtc`, `connect-timeout`, `closed`; `not-loaded` when a part of this
   *   library could not be loaded: this Sync can then be used as before
   */
  async offer(options: OfferOptions = {}): Promise<string> {
    this.#expectNew('offer');
    this.#status.set({ state: 'offering' });
    const machinery = await this.#load().catch((error: unknown) => {
      this.#status.set({ state: 'new' });
      throw error;
    });
    const link = this.#openLink(machinery, true);
    const signal = await this.#orClose(link.localSignal());
    const { text, mark } = this.#signalsOf(machinery).offer(signal, options.format ?? 'short');
    this.#mark = mark;
    return text;
  }

  /**
   * Takes the other side's offer and makes the answer that it connects with.
   * @param offer the text of it, or any text that it is in: a link, a whole message
   * @throws SignalError `not-a-signal`, `truncated`, `case-changed`, `several-signals`,
   *   `expected-offer`, `own-offer`, `already-used`, `wrong-state`; this Sync can then be used as
   *   before
   * @throws ConnectionError like `offer`
   */
  async accept(offer: string): Promise<string> {
    // One that has ended needs no machinery to say so.
    if (this.status.state === 'closed') this.#expectNew('accept');
    const machinery = await this.#load();
    const signals = this.#signalsOf(machinery);
    const signal = signals.readOffer(offer);
    this.#expectNew('accept');
    return signals.answer(signal, async () => {
      this.#status.set({ state: 'accepting' });
      const link = this.#openLink(machinery, false, signal);
      link.acceptSignal(signal);
      return this.#orClose(link.localSignal());
    });
  }

  /**
   * Takes the answer to this side's offer. The connection comes about meanwhile: see `connected`.
   * @param answer the text of it, or any text that it is in
   * @throws SignalError `not-a-signal`, `truncated`, `case-changed`, `several-signals`,
   *   `expected-answer`, `own-offer`, `other-offer`, `already-used`, `wrong-state`; this Sync can then
   *   be used as before
   */
  connect(answer: string): void {
    // Without machinery nothing was offered, and no text could be read.
    const machinery = this.#machinery;
    const signal = machinery && this.#signalsOf(machinery).readAnswer(answer);
    if (this.status.state === 'closed') {
      throw new SignalError('wrong-state', 'this Sync has ended: make a new one, and a new offer');
    }
    if (this.#mark !== undefined && this.status.state !== 'offering') {
      throw new SignalError('already-used', 'this offer has been answered: make a new Sync');
    }
    if (!machinery || !signal || this.#mark === undefined || this.#link === undefined) {
      throw new SignalError('wrong-state', 'there is no offer to answer: call offer first');
    }
    if (signal.answers !== undefined && signal.answers !== this.#mark) {
      throw new SignalError('other-offer', 'this is the answer to another offer, not to this one');
    }
    this.#status.set({ state: 'connecting' });
    this.#awaitChannel(machinery, this.#link, signal);
    this.#link.acceptSignal(signal);
  }

  // --- the connection ---

  /**
   * Resolves when the connection stands.
   * @throws ConnectionError `connect-timeout`, `connect-failed`, `closed`
   */
  async connected(): Promise<void> {
    await this.#connected;
  }

  /**
   * Resolves when the other side has stored all that this side holds now. A peer of the original form
   * acknowledges nothing: there it means that all was sent.
   * @throws what ended the Sync, when it ends before
   */
  async synced(): Promise<void> {
    const session = await this.#connected;
    await session.synced();
  }

  /**
   * Resolves when the first sync is complete, both ways.
   * @throws what ended the Sync, when it ends before
   */
  async backlog(): Promise<{ ok: true }> {
    const session = await this.#connected;
    await session.firstSync();
    return { ok: true };
  }

  /** Delivers what was written before, then ends in order. Resolves when nothing is left open. */
  async close(): Promise<void> {
    if (this.#session === undefined) this.destroy();
    else await this.#session.close();
  }

  /** Ends at once. */
  destroy(): void {
    this.#session?.destroy();
    this.#end();
  }

  // --- inside ---

  /** @throws ConnectionError `not-loaded`; `closed` when that comes first */
  async #load(): Promise<Machinery> {
    const loading = loadMachinery();
    const machinery = await Promise.race([loading, this.#connected.then(() => loading)]);
    if (this.status.state === 'closed') throw syncClosed();
    this.#machinery = machinery;
    return machinery;
  }

  /** What was offered and accepted for this replica, by any Sync: signals serve once. */
  #signalsOf({ PastedSignals }: Machinery): PastedSignals {
    return PastedSignals.of(this.#replica);
  }

  #expectNew(verb: string): void {
    if (this.status.state === 'new') return;
    throw new SignalError(
      'wrong-state',
      `${verb} comes first, and once: this Sync is ${this.status.state}; make a new one`,
    );
  }

  #openLink(machinery: Machinery, initiator: boolean, remote?: DecodedSignal): WebRtcLink {
    // A listener may have ended this Sync when it heard of the new status.
    if (this.status.state === 'closed') throw syncClosed();
    const { helloTimeoutMs: _, ...options } = this.#options;
    const link = new machinery.WebRtcLink({
      maxFrameBytes: MAX_FRAME_BYTES,
      ...options,
      initiator,
    });
    this.#link = link;
    if (remote === undefined) {
      // The offering side may fail before anybody answers: by its timeout.
      link.connected.catch((error: unknown) => this.#end(asError(error)));
    } else {
      this.#awaitChannel(machinery, link, remote);
    }
    return link;
  }

  #awaitChannel(machinery: Machinery, link: WebRtcLink, remote: DecodedSignal): void {
    link.connected
      .then((channel) => this.#converse(machinery, channel, remote))
      .catch((error: unknown) => this.#end(asError(error)));
  }

  #converse({ Session }: Machinery, channel: Channel, remote: DecodedSignal): void {
    if (this.status.state === 'closed') {
      channel.destroy();
      return;
    }
    const { helloTimeoutMs, compression } = this.#options;
    const session = new Session(channel, this.#replica, {
      // A peer that is not one of ours may speak the original form, and could not bear our hello.
      greet: remote.marked ? 'first' : 'after-peer',
      ...(helloTimeoutMs === undefined ? {} : { helloTimeoutMs }),
      ...(compression === undefined ? {} : { compression }),
    });
    this.#session = session;
    session.subscribe((state) => {
      const status = sessionStatus(state);
      if (status !== undefined) this.#status.set(status);
    });
    session.run().then(
      () => this.#end(),
      (error: unknown) => this.#end(asError(error)),
    );
    this.#settleConnected.resolve(session);
  }

  async #orClose<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      this.#end(asError(error));
      throw error;
    }
  }

  #end(error?: Error): void {
    if (this.status.state === 'closed') return;
    this.#status.set(error === undefined ? { state: 'closed' } : { state: 'closed', error });
    this.#settleConnected.reject(error ?? syncClosed());
    this.#link?.destroy();
  }
}

function syncClosed(): ConnectionError {
  return new ConnectionError('closed', 'this Sync was closed');
}
