/**
 * The links of one member with the others of its room: which it wants, how they come about, and when
 * they are over. Many things change what to do next (somebody comes, a link breaks, time passes); each
 * changes the record of a peer and then asks one decider, `#evaluate`.
 *
 * Invariants:
 * 1. There is at most one link, or attempt at one, with each peer. The member with the smaller id
 *    makes the attempts and numbers them, so two members never attempt at the same time; an attempt
 *    with a greater number ends what was before.
 * 2. A peer is there while it is linked with us, or with one that is (as beacons tell), or has
 *    answered within GONE_MS.
 * 3. Of two peers with one ledger the one that came later is the ledger's present self.
 */
import type { Replica } from '../protocol/replica.ts';
import type { SessionOptions } from '../protocol/session.ts';
import { ProtocolError, RoomError, SignalError } from '../errors.ts';
import { Backoff } from './backoff.ts';
import type { Card } from './card.ts';
import type { OverReason, Said } from './envelope.ts';
import { THROUGH_MEMBERS, type Introductions } from './introductions.ts';
import type { Link, LinkAttempt, Linker, LinkSignal } from './link.ts';
import { MemberLink } from './member-link.ts';
import { encodeMemberMessage, type MemberMessage } from './member-messages.ts';
import type { RisingNumbers } from './rising-numbers.ts';
import { Seen } from './seen.ts';
import { childrenInTree, reachable, wantedLinks } from './topology.ts';

/** What may be done with a peer: nothing, or a session that takes what it writes or does not. */
export type Permission = 'read' | 'write' | 'refused';

export interface MeshOptions {
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

/** What one member tells all others. */
export type Spread = MemberMessage & { kind: 'presence' | 'event' };

export interface MeshEvents {
  changed(): void;
  /** A presence value or a broadcast message, each once. */
  heard(message: Spread): void;
  /** A link stands: what the other side should know of us goes here. */
  linked(id: string): void;
  /** The ledger has failed for good: there is nothing to sync any more. */
  failed(error: Error): void;
  /** This process did not run for a while: a laptop slept, or a tab was frozen. */
  woke(): void;
}

export type PeerState =
  /** Known, not linked. */
  | { readonly kind: 'idle' }
  /** Asked to make the link: it has the smaller id. */
  | { readonly kind: 'called'; readonly at: number }
  | {
      readonly kind: 'connecting';
      readonly attempt: number;
      readonly making: LinkAttempt;
      /** What the other side was told so far, in case that it has not heard it. */
      readonly told: readonly LinkSignal[];
      readonly since: number;
    }
  | {
      readonly kind: 'linked';
      readonly attempt: number;
      readonly making: LinkAttempt;
      readonly link: MemberLink;
    }
  /** Nothing is attempted. */
  | { readonly kind: 'refused'; readonly error: Error };

export interface Peer {
  readonly card: Card;
  readonly state: PeerState;
  /** Why the last attempt or link ended, if it was by an error. */
  readonly error: Error | undefined;
}

interface PeerRecord {
  card: Card;
  state: PeerState;
  error: Error | undefined;
  /** The number of the last attempt that there was. */
  attempt: number;
  /** When it answered last, */
  answeredAt: number;
  /** and when it was reached over links last. */
  reachedAt: number;
  knockedAt: number;
  readonly backoff: Backoff;
  notBefore: number;
  /** Attempts that have failed since the last link. */
  failures: number;
  /** The present attempt goes on although the link is not wanted here any more. */
  isFirm: boolean;
  /** Its link is ending in order. */
  isClosing: boolean;
  /** What our last beat said. */
  toldWanted: boolean;
  permission: Permission | Promise<Permission> | undefined;
  /** Of its last beacon. */
  beacon: { readonly number: number; readonly links: ReadonlySet<string> } | undefined;
}

const TICK_MS = 1000;
/** Without any sign of life for this long a link looks for another way, */
const QUIET_MS = 3000;
/** and for this long it is over. */
const GONE_MS = 8000;
/** One that is not linked is asked this often whether it is still there. */
const ASK_MS = 3000;
/** Who is there and not reached over links for this long is linked in any case. */
const STRAY_MS = 3000;
const CALL_TIMEOUT_MS = 5000;
/** An attempt that takes longer may have lost some of its signals. */
const TELL_AGAIN_MS = 2000;
const MAX_TOLD = 64;
const MAX_EARLY_SPEAKERS = 64;
/** After so many attempts that failed another member is linked in its place, while it waits. */
const UNUSABLE_FAILURES = 2;
const FIRST_RETRY_MS = 300;
const MOST_RETRY_MS = 30_000;
const FULL_RETRY_MS = 1000;
/** A peer that broke the protocol is left alone for this long. */
const LEAVE_ALONE_MS = 10_000;
/** A link that neither side wants stays this long, in case they come to see it otherwise. */
const UNWANTED_MS = 2000;
/** A link that stood for this long shows that linking works. */
const SETTLED_MS = 5000;
/** In a large room, who should be linked with whom shows when all have answered, or after this long. */
const GUESS_MS = 3000;
/** So many changes of one's links are told together. */
const BEACON_DELAY_MS = 50;
const LARGE_BEACON_DELAY_MS = 500;
const BEACON_INTERVAL_MS = 30_000;
/** Ticks later than this mean that the process did not run. */
const STALL_MS = 2000;
/** Others may make links beyond `maxPeers`, up to this many times that, while views of a room differ. */
const MOST_LINKS_FACTOR = 1.5;
const MAX_PEERS_KNOWN = 1024;

export class Mesh {
  readonly #options: MeshOptions;
  readonly #events: MeshEvents;
  readonly #introductions: Introductions;
  readonly #peers = new Map<string, PeerRecord>();
  readonly #seen = new Seen();
  /** What members say that have not answered yet. */
  readonly #early = new Map<string, Said[]>();
  /** Those that have said that they leave, so that nothing late brings them back. */
  readonly #left = new Set<string>();
  readonly #tick: ReturnType<typeof setInterval>;
  readonly #since = performance.now();
  #lastTick = this.#since;
  #wanted: ReadonlySet<string> = new Set();
  #beaconAt = Number.NEGATIVE_INFINITY;
  #beaconTimer: ReturnType<typeof setTimeout> | undefined;
  #toldLinks = '';
  /** Who is linked with whom; made anew when that changes. */
  #graph: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  readonly #children = new Map<string, readonly string[]>();
  #evaluating = false;
  #closed = false;

  constructor(options: MeshOptions, introductions: Introductions, events: MeshEvents) {
    this.#options = options;
    this.#introductions = introductions;
    this.#events = events;
    this.#tick = setInterval(() => this.#onTick(), TICK_MS);
  }

  /** All that are there, in no order. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  /** True for those that should be linked with us. */
  isWanted(id: string): boolean {
    return this.#wanted.has(id);
  }

  /** How many links are on their way, or about to be. */
  get pending(): number {
    const now = performance.now();
    let count = 0;
    for (const [id, { state, notBefore }] of this.#peers) {
      const isNext = state.kind === 'idle' && this.#wanted.has(id) && notBefore <= now;
      if (isNext || state.kind === 'called' || state.kind === 'connecting') count += 1;
    }
    return count;
  }

  // --- what introductions tell ---

  met(card: Card): void {
    const peer = this.#meet(card);
    if (peer === undefined) return;
    peer.answeredAt = performance.now();
    const early = this.#early.get(card.id) ?? [];
    this.#early.delete(card.id);
    for (const body of early) this.said(card.id, body);
    this.#change();
  }

  said(from: string, body: Said): void {
    const peer = this.#peers.get(from);
    if (peer === undefined) {
      this.#saidEarly(from, body);
      return;
    }
    peer.answeredAt = performance.now();
    switch (body.kind) {
      case 'call':
        if (from > this.#self) this.#called(peer, body.lost);
        return;
      case 'signal':
        this.#signalled(peer, body);
        return;
      case 'over':
        this.#over(peer, body.attempt, body.reason);
        return;
    }
  }

  /** It knows us, and we shall know it presently: when it answers. */
  #saidEarly(from: string, body: Said): void {
    if (this.#left.has(from)) return;
    const early = this.#early.get(from);
    if (early === undefined) {
      if (this.#early.size >= MAX_EARLY_SPEAKERS) return;
      this.#early.set(from, [body]);
      this.#introductions.knockAt(from);
    } else if (early.length < MAX_TOLD) {
      early.push(body);
    }
  }

  left(id: string): void {
    this.#early.delete(id);
    this.#left.add(id);
    this.#forget(id, 'the member has left');
    this.#change();
  }

  // --- what the room tells ---

  /** Tells everybody. */
  spread(message: Spread): void {
    this.#handOn(message, this.#self);
  }

  /** Tells one that is linked. */
  tell(id: string, message: MemberMessage): void {
    const state = this.#peers.get(id)?.state;
    if (state?.kind === 'linked') state.link.send(message);
  }

  /** Carries an envelope to a member by way of one that is linked with both, if there is one. */
  relay(to: string, data: string): void {
    for (const { state, beacon } of this.#peers.values()) {
      if (state.kind !== 'linked' || beacon?.links.has(to) !== true) continue;
      state.link.send({ kind: 'relay', from: this.#self, to, data });
      return;
    }
  }

  /** The network has changed, or this process slept: look for new ways at once. */
  wake(): void {
    const now = performance.now();
    for (const [id, peer] of this.#peers) {
      peer.backoff.reset();
      peer.notBefore = now;
      if (peer.state.kind === 'linked') peer.state.making.restart();
      else this.#introductions.knockAt(id);
    }
    this.#change();
  }

  /** Ends all links in order. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#tick);
    clearTimeout(this.#beaconTimer);
    const closing = [...this.#peers.values()].map(async ({ state }) => {
      if (state.kind === 'connecting') state.making.destroy();
      if (state.kind !== 'linked') return;
      state.link.send({ kind: 'leaving', from: this.#self });
      await state.link.close();
    });
    await Promise.all(closing);
    this.#peers.clear();
  }

  // --- the decider ---

  /** Who is linked with whom has changed. */
  #linksChanged(): void {
    this.#graph = undefined;
    this.#children.clear();
    this.#change();
  }

  /** Something has changed: decide what to do, once for all changes of this turn. */
  #change(): void {
    if (this.#evaluating || this.#closed) return;
    this.#evaluating = true;
    queueMicrotask(() => {
      this.#evaluating = false;
      if (this.#closed) return;
      this.#evaluate();
      this.#events.changed();
    });
  }

  #evaluate(): void {
    const now = performance.now();
    this.#forgetGone(now);
    const open = [...this.#peers].filter(([, { state }]) => state.kind !== 'refused');
    // Those that just could not be linked make place for others, as long as they wait.
    const usable = open.filter(
      ([, { state, notBefore, failures }]) =>
        state.kind === 'linked' || failures < UNUSABLE_FAILURES || notBefore <= now,
    );
    const ids = (usable.length > this.#options.maxPeers ? usable : open).map(([id]) => id);
    const wanted = new Set(wantedLinks(this.#self, ids, this.#options.maxPeers));
    const stray = this.#unreached(now);
    if (stray !== undefined) wanted.add(stray);
    this.#wanted = wanted;
    const isGuess =
      this.#introductions.unanswered > 0 &&
      this.#introductions.addresses > this.#options.maxPeers &&
      now - this.#since < GUESS_MS;
    for (const [id, peer] of open) {
      const isWanted = wanted.has(id);
      if (peer.state.kind === 'linked' && peer.toldWanted !== isWanted) this.#beat(peer, isWanted);
      if (isWanted && !isGuess) this.#approach(id, peer, now, id === stray);
      if (!isWanted) this.#letGo(peer, now);
    }
    this.#tellLinks(now);
  }

  /** Takes the next step towards a link. */
  #approach(id: string, peer: PeerRecord, now: number, isFirm: boolean): void {
    const { state } = peer;
    if (state.kind === 'called' && now - state.at > CALL_TIMEOUT_MS) {
      peer.state = { kind: 'idle' };
      this.#retryLater(peer, now);
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

  #letGo(peer: PeerRecord, now: number): void {
    const { state } = peer;
    if (state.kind === 'called') peer.state = { kind: 'idle' };
    if (state.kind === 'connecting' && !peer.isFirm) {
      this.#drop(peer);
      this.#introductions.say(peer.card.id, {
        kind: 'over',
        attempt: state.attempt,
        reason: 'ended',
      });
    }
    if (state.kind !== 'linked' || state.link.isWanted) return;
    if (now - state.link.since > UNWANTED_MS) this.#closeLink(peer);
  }

  #closeLink(peer: PeerRecord): void {
    if (peer.state.kind !== 'linked' || peer.isClosing) return;
    peer.isClosing = true;
    peer.state.link.close().catch(() => {});
  }

  /** One that is there, but not reached over links although it should be by now. */
  #unreached(now: number): string | undefined {
    if (this.#peers.size <= this.#options.maxPeers) return undefined;
    const strays = [...this.#peers].filter(
      ([id, { state, notBefore, reachedAt }]) =>
        now - reachedAt > STRAY_MS && state.kind === 'idle' && notBefore <= now && id > this.#self,
    );
    return strays.map(([id]) => id).sort()[0];
  }

  #forgetGone(now: number): void {
    const reached = reachable(this.#self, this.#links());
    for (const [id, peer] of this.#peers) {
      if (reached.has(id)) peer.reachedAt = now;
      if (reached.has(id)) continue;
      if (now - peer.answeredAt > GONE_MS) this.#forget(id, 'the member is gone');
      else if (now - Math.max(peer.answeredAt, peer.knockedAt) > ASK_MS) {
        peer.knockedAt = now;
        this.#introductions.knockAt(id);
      }
    }
  }

  // --- peers ---

  get #self(): string {
    return this.#options.card.id;
  }

  #meet(card: Card): PeerRecord | undefined {
    const { replica } = this.#options.card;
    // Our own ledger, opened twice or copied: there is nothing to sync.
    if (this.#closed || card.id === this.#self || this.#left.has(card.id)) return undefined;
    if (replica !== '' && card.replica === replica) return undefined;
    const known = this.#peers.get(card.id);
    if (known !== undefined) {
      known.card = card;
      return known;
    }
    if (this.#peers.size >= MAX_PEERS_KNOWN || !this.#replaceFormer(card)) return undefined;
    const peer: PeerRecord = {
      card,
      state: { kind: 'idle' },
      error: undefined,
      attempt: 0,
      answeredAt: performance.now(),
      reachedAt: performance.now(),
      knockedAt: 0,
      backoff: new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS),
      notBefore: 0,
      failures: 0,
      isFirm: false,
      isClosing: false,
      toldWanted: true,
      permission: undefined,
      beacon: undefined,
    };
    this.#peers.set(card.id, peer);
    return peer;
  }

  /** False when it is itself a former self of one that is there. */
  #replaceFormer(card: Card): boolean {
    if (card.replica === '') return true;
    for (const [id, other] of this.#peers) {
      if (other.card.replica !== card.replica) continue;
      if (other.card.startedAt > card.startedAt) return false;
      this.#left.add(id);
      this.#forget(id, 'the member has come back as another');
    }
    return true;
  }

  #forget(id: string, reason: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    if (peer.state.kind === 'linked') peer.state.link.destroy(reason);
    if (peer.state.kind === 'connecting') peer.state.making.destroy();
    this.#linksChanged();
  }

  // --- attempts ---

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
    this.#change();
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
    const options = { ...this.#options.session, takes };
    const link = new MemberLink(made, this.#options.replica, options, {
      heard: (message) => this.#heard(id, message),
      changed: () => this.#events.changed(),
      wanted: () => this.#change(),
      ended: (error) => this.#ended(peer, attempt, error),
    });
    peer.state = { kind: 'linked', attempt, making, link };
    for (const [other, { card, beacon }] of this.#peers) {
      if (beacon === undefined || other === id) continue;
      link.send({ kind: 'beacon', card, number: beacon.number, links: [...beacon.links] });
    }
    this.#toldLinks = '';
    this.#linksChanged();
    this.#events.linked(id);
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
      this.#events.failed(error);
      return;
    }
    const refusal = refusalIn(error);
    if (refusal !== undefined) peer.state = { kind: 'refused', error: refusal };
    const broken = error instanceof ProtocolError;
    if (broken) peer.notBefore = now + LEAVE_ALONE_MS;
    else if (error !== undefined && !settled) this.#retryLater(peer, now);
    if (this.#peers.get(peer.card.id) === peer) {
      const reason: OverReason = refusal === undefined ? 'ended' : 'refused';
      this.#introductions.say(peer.card.id, { kind: 'over', attempt, reason });
    }
    this.#linksChanged();
  }

  #retryLater(peer: PeerRecord, now: number): void {
    peer.notBefore = now + peer.backoff.next();
    setTimeout(() => this.#change(), peer.notBefore - now + 1);
  }

  /** The greater id asks for a link; what it has lost is over. */
  #called(peer: PeerRecord, lost: number): void {
    const { state } = peer;
    if (state.kind === 'refused') {
      this.#refuse(peer, 0);
      return;
    }
    const stands = state.kind === 'connecting' || state.kind === 'linked';
    if (stands && state.attempt > lost) {
      this.#tellAgain(peer);
      return;
    }
    this.#drop(peer);
    if (!this.#makeRoom(peer.card.id)) {
      this.#introductions.say(peer.card.id, { kind: 'over', attempt: 0, reason: 'full' });
      return;
    }
    this.#withPermission(peer, () => {
      if (peer.state.kind !== 'idle') return;
      this.#attempt(peer, this.#options.numbers.next(), true);
    });
  }

  #signalled(peer: PeerRecord, body: Said & { kind: 'signal' }): void {
    const { attempt, signal } = body;
    const { state } = peer;
    if (attempt < peer.attempt) return;
    if ((state.kind === 'connecting' || state.kind === 'linked') && state.attempt === attempt) {
      this.#hear(peer, attempt, state.making, signal);
      // The initiator tells its first signal again when it has not heard of us.
      if (signal.number === 0 && this.#self > peer.card.id) this.#tellAgain(peer);
      return;
    }
    const { id } = peer.card;
    if (attempt === peer.attempt || id > this.#self) return;
    if (state.kind === 'refused') {
      this.#refuse(peer, attempt);
      return;
    }
    if (!this.#makeRoom(id)) {
      this.#introductions.say(id, { kind: 'over', attempt, reason: 'full' });
      return;
    }
    this.#withPermission(peer, () => {
      const { state: present } = peer;
      if (attempt < peer.attempt) return;
      const isOurs = present.kind === 'connecting' || present.kind === 'linked';
      if (isOurs && present.attempt === attempt) {
        this.#hear(peer, attempt, present.making, signal);
        return;
      }
      if (attempt === peer.attempt) return;
      this.#drop(peer);
      this.#hear(peer, attempt, this.#attempt(peer, attempt, true), signal);
    });
  }

  /** What was said of a new attempt may have been lost on its way. */
  #tellAgain(peer: PeerRecord): void {
    if (peer.state.kind !== 'connecting') return;
    const { attempt, told, since } = peer.state;
    if (performance.now() - since < TELL_AGAIN_MS) return;
    for (const signal of told) {
      this.#introductions.say(peer.card.id, { kind: 'signal', attempt, signal });
    }
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
    const now = performance.now();
    const current = state.kind === 'connecting' || state.kind === 'linked';
    if (current && state.attempt !== attempt) return;
    this.#drop(peer);
    switch (reason) {
      case 'ended':
        if (state.kind !== 'linked') this.#retryLater(peer, now);
        break;
      case 'full':
        // Views of a large room differ while it fills: presently there may be place.
        peer.notBefore = now + FULL_RETRY_MS * (1 + Math.random());
        break;
      case 'refused':
        peer.state = {
          kind: 'refused',
          error: new RoomError('refused', 'this member does not want to be linked with us'),
        };
        break;
    }
    this.#linksChanged();
  }

  /** Ends what there is without a word. */
  #drop(peer: PeerRecord): void {
    const { state } = peer;
    if (state.kind === 'refused') return;
    peer.state = { kind: 'idle' };
    if (state.kind === 'connecting') state.making.destroy();
    if (state.kind === 'linked') state.link.destroy('the other side makes a new link');
    this.#linksChanged();
  }

  /** True when there may be one more link; a link that nobody wants any more makes place for it. */
  #makeRoom(id: string): boolean {
    const others = [...this.#peers].filter(
      ([other, { state, isClosing }]) =>
        other !== id && !isClosing && (state.kind === 'connecting' || state.kind === 'linked'),
    );
    if (others.length < this.#options.maxPeers * MOST_LINKS_FACTOR) return true;
    for (const [other, peer] of others) {
      if (peer.state.kind !== 'linked' || this.#wanted.has(other)) continue;
      this.#closeLink(peer);
      return true;
    }
    return false;
  }

  /** Goes on at once when it is known what the app allows, else when the app has said it. */
  #withPermission(peer: PeerRecord, then: () => void): void {
    if (peer.permission === undefined) {
      const asked = this.#options.authorize(peer.card);
      peer.permission = asked;
      asked
        .catch((): Permission => 'refused')
        .then((permission) => {
          peer.permission = permission;
        })
        .catch(() => {});
    }
    const { permission } = peer;
    if (permission instanceof Promise) {
      permission
        .catch(() => {})
        .then(() => this.#withPermission(peer, then))
        .catch(() => {});
      return;
    }
    if (this.#closed || this.#peers.get(peer.card.id) !== peer) return;
    if (permission === 'refused') this.#refuse(peer, peer.attempt);
    else then();
  }

  #refuse(peer: PeerRecord, attempt: number): void {
    this.#drop(peer);
    if (peer.state.kind !== 'refused') {
      peer.state = {
        kind: 'refused',
        error: new RoomError('refused', 'the app does not want to be linked with this member'),
      };
    }
    this.#introductions.say(peer.card.id, { kind: 'over', attempt, reason: 'refused' });
    this.#change();
  }

  // --- what linked members tell ---

  #heard(from: string, message: MemberMessage): void {
    switch (message.kind) {
      case 'beat':
        return;
      case 'beacon':
        this.#hearBeacon(from, message);
        return;
      case 'presence':
      case 'event':
        if (message.from === this.#self || !this.#seen.add(message.from, message.number)) return;
        this.#events.heard(message);
        this.#handOn(message, from);
        return;
      case 'leaving':
        if (message.from === this.#self || this.#left.has(message.from)) return;
        this.#flood(message, (id) => id !== from);
        this.left(message.from);
        return;
      case 'relay': {
        const { to, data } = message;
        if (to === this.#self) this.#introductions.hear(THROUGH_MEMBERS, message.from, data);
        else if (message.from === from) this.tell(to, message);
        return;
      }
    }
  }

  #hearBeacon(from: string, message: MemberMessage & { kind: 'beacon' }): void {
    const { card, number, links } = message;
    const peer = this.#meet(card);
    if (peer === undefined || (peer.beacon !== undefined && peer.beacon.number >= number)) return;
    peer.beacon = { number, links: new Set(links) };
    if (card.id === from) peer.answeredAt = performance.now();
    // Those that its author is linked with have it from there.
    this.#flood(message, (id) => id !== from && id !== card.id && !peer.beacon!.links.has(id));
    this.#linksChanged();
  }

  /** To all that are linked, or to those of them that lack it. */
  #flood(message: MemberMessage, lacks: (id: string) => boolean = () => true): void {
    const bytes = encodeMemberMessage(message);
    for (const [id, { state }] of this.#peers) {
      if (state.kind === 'linked' && lacks(id)) state.link.sendBytes(bytes);
    }
  }

  /**
   * What is lossy goes along a tree of those that know of the same links: nobody gets it twice. All
   * else goes to everybody, whatever they know.
   */
  #handOn(message: Spread, from: string): void {
    if (message.kind === 'presence' && !message.settled) {
      this.#handDown(message);
      return;
    }
    this.#flood(message, (id) => id !== from && id !== message.from);
  }

  #handDown(message: Spread): void {
    let children = this.#children.get(message.from);
    if (children === undefined) {
      children = childrenInTree(this.#self, message.from, this.#links());
      this.#children.set(message.from, children);
    }
    if (children.length === 0) return;
    const bytes = encodeMemberMessage(message);
    for (const id of children) {
      const state = this.#peers.get(id)?.state;
      if (state?.kind === 'linked') state.link.sendBytes(bytes, true);
    }
  }

  #links(): ReadonlyMap<string, ReadonlySet<string>> {
    if (this.#graph !== undefined) return this.#graph;
    const graph = new Map<string, ReadonlySet<string>>();
    const own = new Set<string>();
    for (const [id, { state, beacon }] of this.#peers) {
      if (state.kind === 'linked') own.add(id);
      // Of our own links we know first.
      const isLinked = state.kind === 'linked';
      if (beacon?.links.has(this.#self) === isLinked) {
        graph.set(id, beacon.links);
        continue;
      }
      const claimed = new Set(beacon?.links);
      if (isLinked) claimed.add(this.#self);
      else claimed.delete(this.#self);
      graph.set(id, claimed);
    }
    graph.set(this.#self, own);
    this.#graph = graph;
    return graph;
  }

  /** Tells everybody whom we are linked with, soon after that has changed, and now and then. */
  #tellLinks(now: number): void {
    if (this.#beaconTimer !== undefined) return;
    const isNews = this.#ownLinks().join() !== this.#toldLinks;
    if (!isNews && now - this.#beaconAt < BEACON_INTERVAL_MS) return;
    const isSmall = this.#peers.size <= this.#options.maxPeers;
    this.#beaconTimer = setTimeout(
      () => {
        this.#beaconTimer = undefined;
        if (this.#closed) return;
        const links = this.#ownLinks();
        this.#toldLinks = links.join();
        this.#beaconAt = performance.now();
        const number = this.#options.numbers.next();
        this.#flood({ kind: 'beacon', card: this.#options.card, number, links });
      },
      isSmall ? BEACON_DELAY_MS : LARGE_BEACON_DELAY_MS,
    );
  }

  #ownLinks(): string[] {
    return [...this.#links().get(this.#self)!].sort();
  }

  // --- time ---

  #onTick(): void {
    const now = performance.now();
    const late = now - this.#lastTick - TICK_MS;
    this.#lastTick = now;
    if (late > STALL_MS) this.#stalled(late);
    for (const [id, peer] of this.#peers) {
      if (this.#self < id) this.#tellAgain(peer);
      if (peer.state.kind !== 'linked') continue;
      const { link, making } = peer.state;
      const quietMs = now - link.lastHeard;
      if (quietMs > GONE_MS) link.destroy('nothing has been heard of the member for too long');
      else if (quietMs > QUIET_MS) making.restart();
      this.#beat(peer, this.#wanted.has(id));
    }
    this.#change();
  }

  #beat(peer: PeerRecord, isWanted: boolean): void {
    if (peer.state.kind !== 'linked') return;
    peer.toldWanted = isWanted;
    peer.state.link.beat(isWanted);
  }

  /** Nothing could be heard meanwhile: nobody is gone for that. */
  #stalled(lateMs: number): void {
    for (const peer of this.#peers.values()) {
      peer.answeredAt += lateMs;
      if (peer.state.kind === 'linked') peer.state.link.lastHeard += lateMs;
    }
    this.#events.woke();
  }
}

/** The error of a session that the app's own rules, or the other side's, have ended for good. */
function refusalIn(error: Error | undefined): Error | undefined {
  if (!(error instanceof ProtocolError)) return undefined;
  return isRefusal(error.code) ? error : undefined;
}

function isRefusal(code: string): boolean {
  return code === 'refused' || code === 'read-only' || code === 'connected-to-self';
}

function isLedgerClosed(error: Error): boolean {
  const cause = error.cause as { code?: unknown; name?: unknown } | undefined;
  return cause?.name === 'LedgerError' && cause.code === 'closed';
}
