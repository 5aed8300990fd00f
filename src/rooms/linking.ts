/**
 * How links with peers come about and end. Of two members the one with the smaller id makes each
 * attempt and numbers it; the other one may ask for one by a `call`. So there is no glare: an attempt
 * is known by its number, and one with a greater number ends what was before.
 */
import { ProtocolError, RoomError, SignalError } from '../errors.ts';
import type { Replica } from '../protocol/replica.ts';
import type { SessionOptions } from '../protocol/session.ts';
import type { Card } from './card.ts';
import type { OverReason, Said } from './envelope.ts';
import type { Introductions } from './introductions.ts';
import type { Link, LinkAttempt, Linker, LinkSignal } from './link.ts';
import { MemberLink } from './member-link.ts';
import type { MemberMessage } from './member-messages.ts';
import type { PeerRecord, Permission } from './peer.ts';
import type { RisingNumbers } from './rising-numbers.ts';

export interface LinkingOptions {
  readonly replica: Replica;
  readonly linker: Linker;
  /** Who we are. */
  readonly card: Card;
  readonly numbers: RisingNumbers;
  readonly maxPeers: number;
  readonly connectTimeoutMs: number;
  readonly iceServers: () => readonly RTCIceServer[] | undefined;
  readonly authorize: (card: Card) => Promise<Permission>;
  readonly session: SessionOptions;
}

/** What linking asks of its mesh. */
export interface LinkingHost {
  readonly peers: ReadonlyMap<string, PeerRecord>;
  isWanted(id: string): boolean;
  /** Something has changed that calls for a decision. */
  changed(): void;
  /** A link came or went. */
  linksChanged(): void;
  linked(peer: PeerRecord, link: MemberLink): void;
  heard(from: string, message: MemberMessage): void;
  /** The state of a session. */
  sessionChanged(): void;
  /** The ledger has failed for good. */
  failed(error: Error): void;
}

/** An attempt that takes longer may have lost some of its signals. */
const TELL_AGAIN_MS = 2000;
const MAX_TOLD = 64;
const CALL_TIMEOUT_MS = 5000;
const FULL_RETRY_MS = 1000;
/** A peer that broke the protocol is left alone for this long. */
const LEAVE_ALONE_MS = 10_000;
/** A link that neither side wants stays this long, in case they come to see it otherwise. */
const UNWANTED_MS = 2000;
/** A link that stood for this long shows that linking works. */
const SETTLED_MS = 5000;
/** Others may make links beyond `maxPeers`, up to this many times that, while views of a room differ. */
const MOST_LINKS_FACTOR = 1.5;

export class Linking {
  readonly #options: LinkingOptions;
  readonly #introductions: Introductions;
  readonly #host: LinkingHost;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #retryAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: LinkingOptions, introductions: Introductions, host: LinkingHost) {
    this.#options = options;
    this.#introductions = introductions;
    this.#host = host;
  }

  // --- what the mesh decides ---

  /**
   * Takes the next step towards a link.
   * @param isFirm true when the attempt goes on although the link is not wanted any more
   */
  approach(peer: PeerRecord, isFirm: boolean): void {
    const { state } = peer;
    const { id } = peer.card;
    const now = performance.now();
    if (state.kind === 'called' && now - state.at > CALL_TIMEOUT_MS) {
      peer.state = { kind: 'idle' };
      this.#retryLater(peer);
    }
    if (peer.state.kind !== 'idle' || now < peer.notBefore || !this.#makeRoom(id)) return;
    if (this.#self > id) {
      peer.state = { kind: 'called', at: now };
      this.#introductions.say(id, { kind: 'call', lost: peer.attempt });
      return;
    }
    this.#withPermission(peer, () => {
      if (peer.state.kind === 'idle') this.#attempt(peer, this.#options.numbers.next(), isFirm);
    });
  }

  /** Ends what is not wanted here, as far as the other side does not want it either. */
  letGo(peer: PeerRecord): void {
    const { state } = peer;
    if (state.kind === 'called') peer.state = { kind: 'idle' };
    if (state.kind === 'connecting' && !peer.isFirm) {
      this.drop(peer, 'the link is not wanted any more');
      this.#sayOver(peer, state.attempt, 'ended');
    }
    if (state.kind !== 'linked' || state.link.isWanted) return;
    if (performance.now() - state.link.since > UNWANTED_MS) this.#closeLink(peer);
  }

  /** What was said of a new attempt may have been lost on its way. */
  tellAgain(peer: PeerRecord): void {
    if (peer.state.kind !== 'connecting') return;
    const { attempt, told, since } = peer.state;
    if (performance.now() - since < TELL_AGAIN_MS) return;
    for (const signal of told) {
      this.#introductions.say(peer.card.id, { kind: 'signal', attempt, signal });
    }
  }

  /** Ends what there is without a word. */
  drop(peer: PeerRecord, reason: string): void {
    const { state } = peer;
    if (state.kind === 'refused') return;
    peer.state = { kind: 'idle' };
    if (state.kind === 'connecting') state.making.destroy();
    if (state.kind === 'linked') state.link.destroy(reason);
    this.#host.linksChanged();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
  }

  // --- what the peer says ---

  said(peer: PeerRecord, body: Said): void {
    switch (body.kind) {
      case 'call':
        if (peer.card.id > this.#self) this.#called(peer, body.lost);
        return;
      case 'signal':
        this.#signalled(peer, body.attempt, body.signal);
        return;
      case 'over':
        this.#over(peer, body.attempt, body.reason);
        return;
    }
  }

  /** The greater id asks for a link; what it has lost is over. */
  #called(peer: PeerRecord, lost: number): void {
    const { state } = peer;
    if (state.kind === 'refused') {
      this.#refuse(peer, 0);
      return;
    }
    if ((state.kind === 'connecting' || state.kind === 'linked') && state.attempt > lost) {
      this.tellAgain(peer);
      return;
    }
    this.drop(peer, 'the other side has lost the link');
    if (!this.#makeRoom(peer.card.id)) {
      this.#sayOver(peer, 0, 'full');
      return;
    }
    this.#withPermission(peer, () => {
      if (peer.state.kind === 'idle') this.#attempt(peer, this.#options.numbers.next(), true);
    });
  }

  #signalled(peer: PeerRecord, attempt: number, signal: LinkSignal): void {
    if (attempt < peer.attempt) return;
    if (attempt === peer.attempt) {
      const { state } = peer;
      if (state.kind !== 'connecting' && state.kind !== 'linked') return;
      this.#hear(peer, attempt, state.making, signal);
      // The initiator tells its first signal again when it has not heard of us.
      if (signal.number === 0 && this.#self > peer.card.id) this.tellAgain(peer);
      return;
    }
    if (peer.card.id > this.#self) return;
    if (peer.state.kind === 'refused') this.#refuse(peer, attempt);
    else if (!this.#makeRoom(peer.card.id)) this.#sayOver(peer, attempt, 'full');
    else this.#withPermission(peer, () => this.#answer(peer, attempt, signal));
  }

  /** The first signal of a new attempt, or one of those that came while the app was asked. */
  #answer(peer: PeerRecord, attempt: number, signal: LinkSignal): void {
    if (attempt <= peer.attempt) {
      this.#signalled(peer, attempt, signal);
      return;
    }
    this.drop(peer, 'the other side makes a new link');
    this.#hear(peer, attempt, this.#attempt(peer, attempt, true), signal);
  }

  #hear(peer: PeerRecord, attempt: number, making: LinkAttempt, signal: LinkSignal): void {
    try {
      making.hear(signal);
    } catch (error) {
      // A link that stands bears a signal that makes no sense; an attempt will not come to anything.
      if (!(error instanceof SignalError)) throw error;
      if (peer.state.kind === 'connecting') this.#ended(peer, attempt, error);
    }
  }

  #over(peer: PeerRecord, attempt: number, reason: OverReason): void {
    const { state } = peer;
    const stands = state.kind === 'connecting' || state.kind === 'linked';
    if (stands && state.attempt !== attempt) return;
    this.drop(peer, 'the other side has ended the link');
    switch (reason) {
      case 'ended':
        if (state.kind !== 'linked') this.#retryLater(peer);
        break;
      case 'full':
        // Views of a large room differ while it fills: presently there may be place.
        peer.notBefore = performance.now() + FULL_RETRY_MS * (1 + Math.random());
        break;
      case 'refused':
        peer.state = {
          kind: 'refused',
          error: new RoomError('refused', 'this member does not want to be linked with us'),
        };
        break;
    }
    this.#host.changed();
  }

  // --- attempts ---

  get #self(): string {
    return this.#options.card.id;
  }

  #attempt(peer: PeerRecord, attempt: number, isFirm: boolean): LinkAttempt {
    const { id } = peer.card;
    const told: LinkSignal[] = [];
    const making = this.#options.linker({
      initiator: this.#self < id,
      iceServers: this.#options.iceServers(),
      connectTimeoutMs: this.#options.connectTimeoutMs,
      tell: (signal) => {
        if (told.length < MAX_TOLD) told.push(signal);
        this.#introductions.say(id, { kind: 'signal', attempt, signal });
      },
    });
    peer.attempt = attempt;
    peer.isFirm = isFirm;
    peer.isClosing = false;
    peer.state = { kind: 'connecting', attempt, making, told, since: performance.now() };
    making.connected.then(
      (link) => this.#connected(peer, attempt, making, link),
      (error: unknown) => this.#ended(peer, attempt, error as Error),
    );
    this.#host.changed();
    return making;
  }

  #connected(peer: PeerRecord, attempt: number, making: LinkAttempt, made: Link): void {
    const { state, permission } = peer;
    if (this.#closed || state.kind !== 'connecting' || state.attempt !== attempt) {
      making.destroy();
      return;
    }
    const { id, access } = peer.card;
    const takes = access === 'write' && permission === 'write';
    const options = { ...this.#options.session, takes, peer: id };
    const link = new MemberLink(made, this.#options.replica, options, {
      heard: (message) => this.#host.heard(id, message),
      changed: () => this.#host.sessionChanged(),
      wanted: () => this.#host.changed(),
      ended: (error) => this.#ended(peer, attempt, error),
    });
    peer.state = { kind: 'linked', attempt, making, link };
    this.#host.linksChanged();
    this.#host.linked(peer, link);
  }

  /** An attempt, or its link, is over. */
  #ended(peer: PeerRecord, attempt: number, error: Error | undefined): void {
    const { state } = peer;
    if (state.kind !== 'connecting' && state.kind !== 'linked') return;
    if (state.attempt !== attempt) return;
    const now = performance.now();
    const settled = state.kind === 'linked' && now - state.link.since > SETTLED_MS;
    if (settled) peer.backoff.reset();
    if (state.kind === 'linked') peer.failures = 0;
    else peer.failures += 1;
    // Whatever ended it: nothing of it is left.
    state.making.destroy();
    peer.error = error;
    peer.state = { kind: 'idle' };
    if (this.#closed) return;
    if (error !== undefined && isLedgerClosed(error)) {
      this.#host.failed(error);
      return;
    }
    const isRefused = isRefusal(error);
    if (isRefused) peer.state = { kind: 'refused', error: error! };
    else if (error instanceof ProtocolError) peer.notBefore = now + LEAVE_ALONE_MS;
    else if (error !== undefined && !settled) this.#retryLater(peer);
    if (this.#isKnown(peer)) this.#sayOver(peer, attempt, isRefused ? 'refused' : 'ended');
    this.#host.linksChanged();
  }

  #closeLink(peer: PeerRecord): void {
    if (peer.state.kind !== 'linked' || peer.isClosing) return;
    peer.isClosing = true;
    peer.state.link.close().catch(() => {});
  }

  /** True when there may be one more link; a link that is not wanted here makes place for it. */
  #makeRoom(id: string): boolean {
    const others = [...this.#host.peers].filter(
      ([other, { state, isClosing }]) =>
        other !== id && !isClosing && (state.kind === 'connecting' || state.kind === 'linked'),
    );
    if (others.length < this.#options.maxPeers * MOST_LINKS_FACTOR) return true;
    const spare = others.find(
      ([other, { state }]) => state.kind === 'linked' && !this.#host.isWanted(other),
    );
    if (spare !== undefined) this.#closeLink(spare[1]);
    return spare !== undefined;
  }

  #retryLater(peer: PeerRecord): void {
    const waitMs = peer.backoff.next();
    peer.notBefore = performance.now() + waitMs;
    if (peer.notBefore >= this.#retryAt || this.#closed) return;
    clearTimeout(this.#retryTimer);
    this.#retryAt = peer.notBefore;
    this.#retryTimer = setTimeout(() => {
      this.#retryAt = Number.POSITIVE_INFINITY;
      this.#host.changed();
    }, waitMs);
  }

  // --- permission ---

  /** Goes on at once when it is known what the app allows, else when the app has said it. */
  #withPermission(peer: PeerRecord, then: () => void): void {
    const { permission } = peer;
    if (permission === undefined || permission instanceof Promise) {
      this.#permissionOf(peer)
        .then((settled) => {
          peer.permission = settled;
          this.#withPermission(peer, then);
        })
        .catch(() => {});
      return;
    }
    if (this.#closed || !this.#isKnown(peer)) return;
    if (permission === 'refused') this.#refuse(peer, peer.attempt);
    else then();
  }

  #permissionOf(peer: PeerRecord): Promise<Permission> {
    if (!(peer.permission instanceof Promise)) {
      peer.permission = this.#options.authorize(peer.card).catch((): Permission => 'refused');
    }
    return peer.permission;
  }

  #refuse(peer: PeerRecord, attempt: number): void {
    this.drop(peer, 'the app does not want the link');
    if (peer.state.kind !== 'refused') {
      peer.state = {
        kind: 'refused',
        error: new RoomError('refused', 'the app does not want to be linked with this member'),
      };
    }
    this.#sayOver(peer, attempt, 'refused');
    this.#host.changed();
  }

  #sayOver(peer: PeerRecord, attempt: number, reason: OverReason): void {
    this.#introductions.say(peer.card.id, { kind: 'over', attempt, reason });
  }

  #isKnown(peer: PeerRecord): boolean {
    return this.#host.peers.get(peer.card.id) === peer;
  }
}

/** True for the error of a session that the app's rules, or the other side's, have ended for good. */
function isRefusal(error: Error | undefined): boolean {
  if (!(error instanceof ProtocolError)) return false;
  const codes: readonly string[] = ['refused', 'read-only', 'connected-to-self'];
  return codes.includes(error.code);
}

function isLedgerClosed(error: Error): boolean {
  const cause = error.cause as { code?: unknown; name?: unknown } | undefined;
  return cause?.name === 'LedgerError' && cause.code === 'closed';
}
