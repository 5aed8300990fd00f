import { base64url } from 'multiformats/bases/base64';
import type { IceServer } from '../../signaling/messages.ts';
import { SignalError } from '../errors.ts';
import { remember } from '../remember.ts';
import { sha256 } from '../sha256.ts';
import { Listeners } from '../listeners.ts';
import { PastedSignals } from '../transports/pasted-signals.ts';
import type { WebRtcOptions } from '../transports/webrtc.ts';
import { Line, type PastedLineStatus } from './pasted-line.ts';
import type {
  SignalingAdapter,
  SignalingEvents,
  SignalingJoin,
  SignalingMembership,
} from './signaling.ts';

/**
 * `iceServers` are for the lines, and for the links of rooms too. `connectTimeoutMs` is how long an
 * offer or answer waits for people: default 600,000.
 */
export type PastedSignalingOptions = Pick<
  WebRtcOptions,
  'iceServers' | 'iceTransportPolicy' | 'wrtc' | 'connectTimeoutMs'
>;

/** A line to one other person, as it is now. */
export interface PastedLine {
  /** Counts up from 1: by it lines can be told apart. */
  readonly number: number;
  readonly status: PastedLineStatus;
}

interface Member {
  readonly room: string;
  readonly address: string;
  readonly events: SignalingEvents;
}

/** So many lines that are over stay in `lines`, for people to see what became of them. */
const MAX_CLOSED_LINES = 8;
const MAX_OFFERS_KNOWN = 256;

/**
 * Introduces the members of a room without a server, by texts that people send each other: one makes
 * an `offer`, another `accept`s it, which gives an answer, and the first `connect`s with that. Each
 * such pair of texts makes one line to one person; who is linked with either of two is introduced to
 * the other by the room.
 *
 * Lines belong to this object and outlast rooms: offers may be made before `joinRoom` or after it, a
 * room may be left and joined again over the same lines, several rooms can share them. To a room this
 * is a server that is always there, with nobody at it while there is no line: the room is then `alone`.
 *
 * They do not outlast the page, and no other tab knows of them: of several tabs that are in a room as
 * one member only the one that is connected uses its lines.
 */
export class PastedSignaling implements SignalingAdapter {
  readonly name: string = 'pasted';

  readonly #options: PastedSignalingOptions;
  readonly #signals = new PastedSignals();
  readonly #lines = new Map<Line, number>();
  /** By the mark that answers carry. */
  readonly #offers = new Map<number, Line>();
  readonly #members = new Set<Member>();
  readonly #listeners = new Listeners<[signaling: PastedSignaling]>();
  #seen: readonly PastedLine[] | undefined;
  #lastNumber = 0;
  #closed = false;

  constructor(options: PastedSignalingOptions = {}) {
    this.#options = options;
  }

  /** All that stand or are on their way, and the last that ended; the same list until it changes. */
  get lines(): readonly PastedLine[] {
    this.#seen ??= [...this.#lines].map(([{ status }, number]) => ({ number, status }));
    return this.#seen;
  }

  /** Calls the listener when `lines` changes; returns the function that ends this. */
  subscribe(listener: (signaling: PastedSignaling) => void): () => void {
    return this.#listeners.add(listener);
  }

  // --- pasting ---

  /**
   * Begins a line: makes the text that somebody else accepts. Any number of offers may be out.
   * @throws SignalError `wrong-state` after `close`
   * @throws ConnectionError `no-webrtc`, `connect-timeout`, `closed`
   */
  async offer(): Promise<string> {
    this.#expectOpen();
    const line = this.#begin(true);
    const { text, mark } = this.#signals.offer(await line.localSignal(), 'short');
    remember(this.#offers, mark, line, MAX_OFFERS_KNOWN);
    line.told(text);
    return text;
  }

  /**
   * Takes somebody's offer and makes the answer that they connect with.
   * @param offer the text of it, or any text that it is in: a link, a whole message
   * @throws SignalError `not-a-signal`, `truncated`, `case-changed`, `several-signals`,
   *   `expected-offer`, `own-offer`, `already-used`; `wrong-state` after `close`
   * @throws ConnectionError like `offer`
   */
  async accept(offer: string): Promise<string> {
    this.#expectOpen();
    const signal = this.#signals.readOffer(offer);
    const line = this.#begin(false);
    const text = await this.#signals.answer(signal, () => {
      line.acceptSignal(signal);
      return line.localSignal();
    });
    line.told(text);
    return text;
  }

  /**
   * Takes the answer to one of the offers made here. The line comes about meanwhile: see `lines`.
   * @param answer the text of it, or any text that it is in
   * @throws SignalError `not-a-signal`, `truncated`, `case-changed`, `several-signals`,
   *   `expected-answer`, `own-offer`, `other-offer` for an answer to no offer of ours, `already-used`,
   *   `wrong-state` when no offer was made, or it has ended
   */
  connect(answer: string): void {
    this.#expectOpen();
    const signal = this.#signals.readAnswer(answer);
    if (this.#offers.size === 0) {
      throw new SignalError('wrong-state', 'there is no offer to answer: call offer first');
    }
    const line = signal.answers === undefined ? undefined : this.#offers.get(signal.answers);
    switch (line?.status.state) {
      case undefined:
        throw new SignalError(
          'other-offer',
          'this is the answer to an offer that was not made here',
        );
      case 'offering':
        line!.acceptSignal(signal);
        return;
      case 'closed':
        throw new SignalError('wrong-state', 'its offer has ended: make a new one');
      case 'accepting':
      case 'connecting':
      case 'connected':
        throw new SignalError('already-used', 'its offer has been answered: make a new one');
    }
  }

  /** Ends all lines in order. Links of rooms that stand go on. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#lines.keys()].map((line) => line.close()));
  }

  // --- for rooms ---

  join({ room, proof }: SignalingJoin, events: SignalingEvents): SignalingMembership {
    const member = { room, address: addressOf(proof), events };
    this.#members.add(member);
    this.#sayToAll('entered', member);
    queueMicrotask(() => {
      if (!this.#members.has(member)) return;
      events.status({ state: 'joined' });
      this.#tellWhoIsThere(member);
    });
    return {
      send: (to, data) => {
        if (!this.#members.has(member)) return;
        for (const line of this.#lines.keys()) {
          if ([...line.membersIn(room)].includes(to)) {
            line.say({ type: 'message', room, from: member.address, data });
          }
        }
      },
      // A line that breaks is mended by people.
      wake: () => undefined,
      leave: () => {
        if (this.#members.delete(member)) this.#sayToAll('left', member);
      },
    };
  }

  // --- inside ---

  #expectOpen(): void {
    if (!this.#closed) return;
    throw new SignalError('wrong-state', 'this PastedSignaling was closed: make a new one');
  }

  #begin(initiator: boolean): Line {
    const line = new Line(
      { ...this.#options, initiator },
      {
        changed: () => this.#changed(),
        opened: (opened) => {
          for (const { room, address } of this.#members) {
            opened.say({ type: 'entered', room, member: address });
          }
        },
        // Nobody was there before: neither side may wait for the other to knock.
        entered: (room) => {
          for (const member of this.#membersOf(room)) this.#tellWhoIsThere(member);
        },
        left: (room, address) => {
          if (this.#othersIn(room).includes(address)) return;
          for (const { events } of this.#membersOf(room)) events.left(address);
        },
        message: (room, from, data) => {
          for (const { events } of this.#membersOf(room)) events.message(from, data);
        },
      },
    );
    this.#lines.set(line, ++this.#lastNumber);
    this.#changed();
    return line;
  }

  #sayToAll(type: 'entered' | 'left', { room, address }: Member): void {
    for (const line of this.#lines.keys()) line.say({ type, room, member: address });
  }

  #membersOf(room: string): Member[] {
    return [...this.#members].filter((member) => member.room === room);
  }

  #othersIn(room: string): string[] {
    return [...new Set([...this.#lines.keys()].flatMap((line) => [...line.membersIn(room)]))];
  }

  #tellWhoIsThere({ room, address, events }: Member): void {
    const others = this.#othersIn(room).filter((other) => other !== address);
    events.joined(others, this.#options.iceServers?.map(iceServer));
  }

  #changed(): void {
    const closed = [...this.#lines.keys()].filter(({ status }) => status.state === 'closed');
    for (const line of closed.slice(0, -MAX_CLOSED_LINES)) this.#lines.delete(line);
    this.#seen = undefined;
    this.#listeners.tell(this);
  }
}

/** As servers make it of a proof. */
function addressOf(proof: string): string {
  return base64url.baseEncode(sha256(new TextEncoder().encode(proof))).slice(0, 22);
}

function iceServer(server: RTCIceServer): IceServer {
  return { ...server, urls: [server.urls].flat() };
}
