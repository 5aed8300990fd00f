/**
 * The links of one member with the others of its room: which it wants, and what it tells over them.
 * Many things change what to do next (somebody comes, a link breaks, time passes); each changes the
 * record of a peer and then asks one decider, `#evaluate`.
 *
 * Invariants:
 * 1. There is at most one link, or attempt at one, with each peer: see `linking.ts`.
 * 2. A peer is there while it is linked with us, or with one that is (as beacons tell), or has
 *    answered within GONE_MS.
 * 3. Of two peers with one ledger the one that came later is the ledger's present self.
 */
import type { Card } from './card.ts';
import type { Said } from './envelope.ts';
import { THROUGH_MEMBERS, type Introductions } from './introductions.ts';
import { LinkMap } from './link-map.ts';
import { Linking, type LinkingOptions } from './linking.ts';
import type { MemberLink } from './member-link.ts';
import { encodeMemberMessage, type MemberMessage } from './member-messages.ts';
import { newPeer, type Peer, type PeerRecord } from './peer.ts';
import { Seen } from './seen.ts';
import { wantedLinks } from './topology.ts';
import { MAX_VALUE_BYTES } from './value.ts';

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
  /** Nothing comes over a link any more: our own network may be the reason. */
  quiet(): void;
}

const TICK_MS = 1000;
/** Without any sign of life for this long a link looks for another way, */
const QUIET_MS = 3000;
/** and for this long it is over. */
const GONE_MS = 7000;
/** One that is not linked is asked this often whether it is still there. */
const ASK_MS = 3000;
/** Who is there and not reached over links for this long is linked in any case. */
const STRAY_MS = 3000;
/** After so many attempts that failed another member is linked in its place, while it waits. */
const UNUSABLE_FAILURES = 2;
/** In a large room, who should be linked with whom shows when all have answered, or after this long. */
const GUESS_MS = 3000;
/** So many changes of one's links are told together. */
const BEACON_DELAY_MS = 50;
const LARGE_BEACON_DELAY_MS = 500;
const BEACON_INTERVAL_MS = 30_000;
/** Ticks later than this mean that the process did not run. */
const STALL_MS = 2000;
const MAX_PEERS_KNOWN = 1024;
const MAX_LEFT_KNOWN = 10_000;
const MAX_EARLY_SPEAKERS = 64;
const MAX_EARLY_WORDS = 64;

export class Mesh {
  readonly #options: LinkingOptions;
  readonly #events: MeshEvents;
  readonly #introductions: Introductions;
  readonly #peers = new Map<string, PeerRecord>();
  readonly #linking: Linking;
  readonly #map: LinkMap;
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
  /** The links that our last beacon told. */
  #toldLinks = '';
  #evaluating = false;
  #closed = false;

  constructor(options: LinkingOptions, introductions: Introductions, events: MeshEvents) {
    this.#options = options;
    this.#introductions = introductions;
    this.#events = events;
    this.#map = new LinkMap(options.card.id, this.#peers);
    this.#linking = new Linking(options, introductions, {
      peers: this.#peers,
      isWanted: (id) => this.#wanted.has(id),
      changed: () => this.#change(),
      linksChanged: () => this.#linksChanged(),
      linked: (peer, link) => this.#linked(peer, link),
      heard: (from, message) => this.#heard(from, message),
      sessionChanged: () => events.changed(),
      failed: (error) => events.failed(error),
    });
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
    // A decision that is due may begin one.
    let count = this.#evaluating ? 1 : 0;
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
    this.#hearEarly(peer);
    this.#change();
  }

  said(from: string, body: Said): void {
    const peer = this.#peers.get(from);
    if (peer === undefined) {
      this.#saidEarly(from, body);
      return;
    }
    peer.answeredAt = performance.now();
    this.#linking.said(peer, body);
  }

  left(id: string): void {
    this.#early.delete(id);
    this.#neverMeetAgain(id);
    const peer = this.#peers.get(id);
    if (peer?.state.kind === 'linked') peer.hasLeft = true;
    else this.#forget(id, 'the member has left');
    this.#change();
  }

  /** It knows us, and we shall know it presently: when it answers. */
  #saidEarly(from: string, body: Said): void {
    if (this.#left.has(from)) return;
    const early = this.#early.get(from);
    if (early === undefined) {
      if (this.#early.size >= MAX_EARLY_SPEAKERS) return;
      this.#early.set(from, [body]);
      this.#introductions.knockAt(from);
    } else if (early.length < MAX_EARLY_WORDS) {
      early.push(body);
    }
  }

  #hearEarly(peer: PeerRecord): void {
    const { id } = peer.card;
    const early = this.#early.get(id) ?? [];
    this.#early.delete(id);
    for (const body of early) this.#linking.said(peer, body);
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
    if (data.length > MAX_VALUE_BYTES) return;
    // Either of the two may have told it first.
    const theirs = this.#peers.get(to)?.beacon?.links;
    for (const [id, { state, beacon }] of this.#peers) {
      const isBetween = beacon?.links.has(to) === true || theirs?.has(id) === true;
      if (state.kind !== 'linked' || !isBetween) continue;
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

  /** Tells those that are linked, who tell the others, that we leave. */
  sayLeaving(): void {
    this.#flood({ kind: 'leaving', from: this.#self });
  }

  /** Ends all links in order. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#tick);
    clearTimeout(this.#beaconTimer);
    this.#linking.close();
    this.sayLeaving();
    const closing = [...this.#peers.values()].map(async ({ state }) => {
      if (state.kind === 'connecting') state.making.destroy();
      if (state.kind === 'linked') await state.link.close();
    });
    await Promise.all(closing);
    this.#peers.clear();
  }

  // --- the decider ---

  /** Who is linked with whom has changed. */
  #linksChanged(): void {
    this.#map.changed();
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
    const open = [...this.#peers].filter(
      ([, { state, hasLeft }]) => state.kind !== 'refused' && !hasLeft,
    );
    const stray = this.#unreached(now);
    const wanted = new Set(
      wantedLinks(this.#self, this.#usable(open, now), this.#options.maxPeers),
    );
    if (stray !== undefined) wanted.add(stray);
    this.#wanted = wanted;
    const isGuess = this.#isGuess(now);
    for (const [id, peer] of open) {
      const isWanted = wanted.has(id);
      if (peer.state.kind === 'linked' && peer.toldWanted !== isWanted) this.#beat(peer, isWanted);
      if (isWanted && !isGuess) this.#linking.approach(peer, id === stray);
      if (!isWanted) this.#linking.letGo(peer);
    }
    this.#tellLinks(now);
  }

  /** Those that just could not be linked make place for others, as long as they wait. */
  #usable(open: readonly [string, PeerRecord][], now: number): string[] {
    const usable = open.filter(
      ([, { state, notBefore, failures }]) =>
        state.kind === 'linked' || failures < UNUSABLE_FAILURES || notBefore <= now,
    );
    return (usable.length > this.#options.maxPeers ? usable : open).map(([id]) => id);
  }

  /** True while too few have answered to know who should be linked with whom. */
  #isGuess(now: number): boolean {
    const { unanswered, addresses } = this.#introductions;
    return unanswered > 0 && addresses > this.#options.maxPeers && now - this.#since < GUESS_MS;
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
    const reached = this.#map.reached();
    for (const [id, peer] of this.#peers) {
      if (peer.hasLeft) {
        if (peer.state.kind !== 'linked') this.#forget(id, 'the member has left');
      } else if (reached.has(id)) peer.reachedAt = now;
      else if (now - peer.answeredAt > GONE_MS) {
        this.#forget(id, 'the member is gone');
        this.#introductions.lost(id);
      } else if (now - Math.max(peer.answeredAt, peer.knockedAt) > ASK_MS) {
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
    if (this.#closed || card.id === this.#self || this.#left.has(card.id)) return undefined;
    // Our own ledger, opened twice or copied: there is nothing to sync.
    if (replica !== '' && card.replica === replica) return undefined;
    const known = this.#peers.get(card.id);
    if (known !== undefined) {
      known.card = card;
      return known;
    }
    if (this.#peers.size >= MAX_PEERS_KNOWN || !this.#replaceFormer(card)) return undefined;
    const peer = newPeer(card);
    this.#peers.set(card.id, peer);
    return peer;
  }

  /** False when it is itself a former self of one that is there. */
  #replaceFormer(card: Card): boolean {
    if (card.replica === '') return true;
    for (const [id, other] of this.#peers) {
      if (other.card.replica !== card.replica) continue;
      if (other.card.startedAt > card.startedAt) return false;
      this.#forget(id, 'the member has come back as another');
      this.#neverMeetAgain(id);
    }
    return true;
  }

  #forget(id: string, reason: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    this.#linking.drop(peer, reason);
  }

  #neverMeetAgain(id: string): void {
    if (this.#left.size >= MAX_LEFT_KNOWN) this.#left.delete(this.#left.values().next().value!);
    this.#left.add(id);
  }

  // --- what linked members tell ---

  #linked(peer: PeerRecord, link: MemberLink): void {
    const reached = this.#map.reached();
    for (const { card, beacon } of this.#peers.values()) {
      // Of one that is gone an old beacon would bring it back, from member to member without an end.
      if (beacon === undefined || card.id === peer.card.id || !reached.has(card.id)) continue;
      link.send({ kind: 'beacon', card, number: beacon.number, links: [...beacon.links] });
    }
    this.#toldLinks = '';
    this.#events.linked(peer.card.id);
  }

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
    const { card, number } = message;
    const links = new Set(message.links);
    const peer = this.#meet(card);
    if (peer === undefined || (peer.beacon !== undefined && peer.beacon.number >= number)) return;
    peer.beacon = { number, links };
    if (card.id === from) peer.answeredAt = performance.now();
    this.#hearEarly(peer);
    // Those that its author is linked with have it from there.
    this.#flood(message, (id) => id !== from && id !== card.id && !links.has(id));
    this.#linksChanged();
  }

  // --- what we tell them ---

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
    if (message.kind === 'event' || message.settled) {
      this.#flood(message, (id) => id !== from && id !== message.from);
      return;
    }
    const children = this.#map.childrenOf(message.from);
    if (children.length === 0) return;
    const bytes = encodeMemberMessage(message);
    for (const id of children) {
      const state = this.#peers.get(id)?.state;
      if (state?.kind === 'linked') state.link.sendBytes(bytes, true);
    }
  }

  /** Tells everybody whom we are linked with, soon after that has changed, and now and then. */
  #tellLinks(now: number): void {
    if (this.#beaconTimer !== undefined) return;
    const isNews = this.#map.own().join() !== this.#toldLinks;
    if (!isNews && now - this.#beaconAt < BEACON_INTERVAL_MS) return;
    const isSmall = this.#peers.size <= this.#options.maxPeers;
    this.#beaconTimer = setTimeout(
      () => this.#tellBeacon(),
      isSmall ? BEACON_DELAY_MS : LARGE_BEACON_DELAY_MS,
    );
  }

  #tellBeacon(): void {
    this.#beaconTimer = undefined;
    const links = this.#map.own();
    this.#toldLinks = links.join();
    this.#beaconAt = performance.now();
    const number = this.#options.numbers.next();
    this.#flood({ kind: 'beacon', card: this.#options.card, number, links });
  }

  // --- time ---

  #onTick(): void {
    const now = performance.now();
    const late = now - this.#lastTick - TICK_MS;
    this.#lastTick = now;
    if (late > STALL_MS) this.#stalled(late);
    for (const [id, peer] of this.#peers) {
      if (this.#self < id) this.#linking.tellAgain(peer);
      if (peer.state.kind !== 'linked') continue;
      const { link, making } = peer.state;
      const quietMs = now - link.lastHeard;
      if (quietMs > GONE_MS) link.destroy('nothing has been heard of the member for too long');
      else if (quietMs > QUIET_MS && quietMs <= QUIET_MS + TICK_MS) {
        making.restart();
        this.#events.quiet();
      }
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
