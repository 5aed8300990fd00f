import { base64url } from 'multiformats/bases/base64';
import type { Card } from './card.ts';
import { decodeEnvelope, encodeEnvelope, type Envelope, type Said } from './envelope.ts';
import type { RoomKeys } from './keys.ts';
import type { RisingNumbers } from './rising-numbers.ts';
import { throwLater } from '../tell.ts';
import { Seen } from './seen.ts';

/** A way that envelopes go: a signaling server by its name, or THROUGH_MEMBERS. */
export type Way = string;

/** By way of a member that is linked with both; addresses are ids there. */
export const THROUGH_MEMBERS: Way = 'members';

export interface IntroductionEvents {
  /** A member is there: it has just answered. */
  met(card: Card): void;
  said(from: string, body: Said): void;
  /** It says that it leaves. */
  left(id: string): void;
  /** What this address says cannot be opened: another secret, or no member at all. */
  stranger(way: Way, address: string): void;
}

type Address =
  /** Knocked at `knocks` times, without an answer so far; or since a member was there, and is lost. */
  | {
      readonly kind: 'unknown';
      readonly isLost: boolean;
      knocks: number;
      timer?: ReturnType<typeof setTimeout>;
    }
  | { readonly kind: 'member'; readonly id: string }
  | { readonly kind: 'stranger' };

interface WayState {
  readonly send: (address: string, data: string) => void;
  readonly addresses: Map<string, Address>;
}

/** Whoever is there already waits for the newcomer to knock, and then knocks itself. */
const EXPECTED_KNOCK_MS = 2000;
const FIRST_KNOCK_AGAIN_MS = 1000;
/** After so many a member that was lost is knocked at at the last interval, any other one no more. */
const MAX_KNOCKS = 6;
/** A server may claim that there are any number of members. */
const MAX_ADDRESSES = 256;
const NONCE_LIFE_MS = 30_000;
/** Envelopes being opened at a time; what comes beyond it is dropped. */
const MAX_OPENING = 512;

/**
 * How members find each other through servers that are not trusted: finds out who of the room is
 * behind which address, and carries what members say to each other, sealed, by every way there is.
 */
export class Introductions {
  readonly #keys: RoomKeys;
  readonly #card: Card;
  readonly #numbers: RisingNumbers;
  readonly #events: IntroductionEvents;
  readonly #ways = new Map<Way, WayState>();
  /** Where each member can be reached: its address by way. */
  readonly #routes = new Map<string, Map<Way, string>>();
  /** Nonces of ours that wait for their echo, with the time of their end. */
  readonly #nonces = new Map<string, number>();
  readonly #seen = new Seen();
  /** Sealed in advance: a page that goes has no time for it. */
  readonly #sealingBye: Promise<void>;
  #bye: string | undefined;
  #opening = 0;
  #closed = false;

  constructor(keys: RoomKeys, card: Card, numbers: RisingNumbers, events: IntroductionEvents) {
    this.#keys = keys;
    this.#numbers = numbers;
    this.#card = card;
    this.#events = events;
    this.#sealingBye = keys
      .seal(encodeEnvelope({ type: 'bye', from: card.id }))
      .then((data) => void (this.#bye = data))
      .catch(throwLater);
  }

  /** @param send carries sealed data to an address, or loses it */
  addWay(way: Way, send: (address: string, data: string) => void): void {
    this.#ways.set(way, { send, addresses: new Map() });
  }

  // --- who is there ---

  /** These addresses, and no others, are there by this way. */
  present(way: Way, addresses: readonly string[]): void {
    const state = this.#ways.get(way);
    if (state === undefined) return;
    const there = new Set(addresses.slice(0, MAX_ADDRESSES));
    for (const address of state.addresses.keys()) if (!there.has(address)) this.gone(way, address);
    for (const address of there) this.#expect(way, state, address, 0);
  }

  entered(way: Way, address: string): void {
    const state = this.#ways.get(way);
    if (state !== undefined) this.#expect(way, state, address, EXPECTED_KNOCK_MS);
  }

  gone(way: Way, address: string): void {
    const addresses = this.#ways.get(way)?.addresses;
    const known = addresses?.get(address);
    if (addresses === undefined || known === undefined) return;
    addresses.delete(address);
    if (known.kind === 'unknown') clearTimeout(known.timer);
    if (known.kind === 'member') this.#routes.get(known.id)?.delete(way);
  }

  /**
   * A member has not been heard of for long, and may be back as long as servers do not tell that it
   * has left: they may have seen it all the time, and then tell nothing new.
   */
  lost(id: string): void {
    for (const [way, address] of this.#routes.get(id) ?? []) {
      const state = this.#ways.get(way);
      const known = state?.addresses.get(address);
      // It may be another one's by now.
      if (state === undefined || known?.kind !== 'member' || known.id !== id) continue;
      state.addresses.set(address, { kind: 'unknown', isLost: true, knocks: 0 });
      this.#knockLater(way, state, address, FIRST_KNOCK_AGAIN_MS);
    }
    this.#routes.delete(id);
  }

  /** How many others are said to be there, by the server that says most. */
  get addresses(): number {
    return Math.max(...[...this.#ways.values()].map(({ addresses }) => addresses.size));
  }

  /** How many addresses have neither answered nor turned out to be strangers yet. */
  get unanswered(): number {
    let count = 0;
    for (const { addresses } of this.#ways.values()) {
      for (const address of addresses.values()) {
        if (address.kind === 'unknown' && address.knocks < MAX_KNOCKS) count += 1;
      }
    }
    return count;
  }

  /** Asks a member whether it is still there; `met` follows if so. */
  knockAt(id: string): void {
    this.#seal({ type: 'knock', card: this.#card, nonce: this.#newNonce() }, (data) => {
      this.#deliver(id, data);
    });
  }

  // --- what is said ---

  say(to: string, body: Said): void {
    const number = this.#numbers.next();
    this.#seal({ type: 'said', from: this.#card.id, to, number, body }, (data) => {
      this.#deliver(to, data);
    });
  }

  /** Tells every member that can be reached; resolves when it is on its way. */
  async bye(): Promise<void> {
    await this.#sealingBye;
    this.byeAtOnce();
  }

  /** The same, on its way when this returns. */
  byeAtOnce(): void {
    if (this.#bye === undefined) return;
    for (const id of this.#routes.keys()) this.#deliver(id, this.#bye);
  }

  hear(way: Way, address: string, data: string): void {
    if (this.#closed || this.#opening >= MAX_OPENING) return;
    this.#opening += 1;
    this.#keys
      .open(data)
      .then((bytes) => {
        this.#opening -= 1;
        if (this.#closed) return;
        if (bytes === undefined) {
          this.#hearStranger(way, address);
          return;
        }
        const envelope = decodeEnvelope(bytes);
        if (envelope !== undefined) this.#hearMember(way, address, envelope);
      })
      .catch(throwLater);
  }

  close(): void {
    this.#closed = true;
    for (const { addresses } of this.#ways.values()) {
      for (const known of addresses.values()) {
        if (known.kind === 'unknown') clearTimeout(known.timer);
      }
    }
  }

  // --- inside ---

  #expect(way: Way, state: WayState, address: string, delayMs: number): void {
    const known = state.addresses.get(address);
    // One who has entered again may have another ledger, another secret, or a new id.
    const isKnocking = known?.kind === 'unknown' && known.knocks < MAX_KNOCKS;
    if (known?.kind === 'member' || isKnocking) return;
    if (known === undefined && state.addresses.size >= MAX_ADDRESSES) return;
    const isLost = known?.kind === 'unknown' && known.isLost;
    if (known?.kind === 'unknown') clearTimeout(known.timer);
    state.addresses.set(address, { kind: 'unknown', isLost, knocks: 0 });
    this.#knockLater(way, state, address, delayMs);
  }

  #knockLater(way: Way, state: WayState, address: string, delayMs: number): void {
    const known = state.addresses.get(address);
    if (known?.kind !== 'unknown') return;
    known.timer = setTimeout(() => this.#knock(way, state, address), delayMs);
  }

  #knock(way: Way, state: WayState, address: string): void {
    const known = state.addresses.get(address);
    if (known?.kind !== 'unknown' || this.#closed) return;
    if (known.knocks >= MAX_KNOCKS && !known.isLost) return;
    this.#seal({ type: 'knock', card: this.#card, nonce: this.#newNonce() }, (data) => {
      state.send(address, data);
    });
    const waitMs = FIRST_KNOCK_AGAIN_MS * 2 ** Math.min(known.knocks, MAX_KNOCKS - 1);
    known.knocks += 1;
    this.#knockLater(way, state, address, waitMs);
  }

  #hearStranger(way: Way, address: string): void {
    const addresses = this.#ways.get(way)?.addresses;
    const known = addresses?.get(address);
    // A member that proved itself stays one: a server can spoil any envelope.
    if (addresses === undefined || known?.kind === 'member') return;
    if (known === undefined && addresses.size >= MAX_ADDRESSES) return;
    if (known?.kind === 'unknown') clearTimeout(known.timer);
    // It has heard of our knock, or will: so it can say the same of us.
    if (known?.kind === 'unknown' && known.knocks === 0) {
      const state = this.#ways.get(way)!;
      this.#knock(way, state, address);
      clearTimeout(known.timer);
    }
    addresses.set(address, { kind: 'stranger' });
    this.#events.stranger(way, address);
  }

  #hearMember(way: Way, address: string, envelope: Envelope): void {
    switch (envelope.type) {
      case 'knock': {
        const { card, nonce } = envelope;
        if (card.id === this.#card.id) return;
        this.#route(way, address, card.id);
        this.#answer(way, address, card.id, nonce, this.#newNonce());
        return;
      }
      case 'here': {
        const { card, to, echo, nonce } = envelope;
        if (to !== this.#card.id || card.id === to || !this.#isEcho(echo)) return;
        this.#route(way, address, card.id);
        if (nonce !== '') this.#answer(way, address, card.id, nonce, '');
        this.#events.met(card);
        return;
      }
      case 'said':
        if (envelope.to !== this.#card.id) return;
        if (this.#seen.add(envelope.from, envelope.number)) {
          this.#events.said(envelope.from, envelope.body);
        }
        return;
      case 'bye':
        if (envelope.from !== this.#card.id) this.#events.left(envelope.from);
        return;
    }
  }

  /** @param nonce of ours, to be echoed in turn; empty where nothing is left to ask */
  #answer(way: Way, address: string, to: string, echo: string, nonce: string): void {
    this.#seal({ type: 'here', card: this.#card, to, echo, nonce }, (data) => {
      this.#ways.get(way)?.send(address, data);
    });
  }

  #route(way: Way, address: string, id: string): void {
    const state = this.#ways.get(way);
    if (state === undefined || way === THROUGH_MEMBERS) return;
    const known = state.addresses.get(address);
    if (known === undefined && state.addresses.size >= MAX_ADDRESSES) return;
    if (known?.kind === 'unknown') clearTimeout(known.timer);
    state.addresses.set(address, { kind: 'member', id });
    let routes = this.#routes.get(id);
    if (routes === undefined) {
      routes = new Map();
      this.#routes.set(id, routes);
    }
    routes.set(way, address);
  }

  #deliver(id: string, data: string): void {
    for (const [way, address] of this.#routes.get(id) ?? []) {
      this.#ways.get(way)?.send(address, data);
    }
    this.#ways.get(THROUGH_MEMBERS)?.send(id, data);
  }

  #seal(envelope: Envelope, then: (data: string) => void): void {
    this.#keys
      .seal(encodeEnvelope(envelope))
      .then((data) => {
        if (!this.#closed) then(data);
      })
      .catch(throwLater);
  }

  #newNonce(): string {
    const now = performance.now();
    for (const [nonce, end] of this.#nonces) {
      if (end > now) break;
      this.#nonces.delete(nonce);
    }
    const nonce = base64url.baseEncode(crypto.getRandomValues(new Uint8Array(16)));
    this.#nonces.set(nonce, now + NONCE_LIFE_MS);
    return nonce;
  }

  #isEcho(nonce: string): boolean {
    const end = this.#nonces.get(nonce);
    this.#nonces.delete(nonce);
    return end !== undefined && end > performance.now();
  }
}
