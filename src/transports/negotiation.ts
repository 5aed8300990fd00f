/**
 * What two sides of one connection tell each other while it is being made, and again when it looks
 * for a new way: descriptions, and the candidates that belong to them as they are found.
 *
 * The signals go by way of somebody else, who may deliver them late, in any order, twice or not at
 * all. What keeps that harmless:
 * 1. Only one side, the initiator, offers. An answer names the offer it is to by its number, and
 *    counts only while that is the newest.
 * 2. Of the descriptions of a side the newest counts; its number tells.
 * 3. A candidate names its description by the ICE username. One that comes before its description
 *    is kept, one of an older description is dropped.
 *
 * This is the pure part: it says what to do, and a Trickle does it.
 */
import { SignalError } from '../errors.ts';
import { describesDataChannel } from './signal.ts';

/** The most characters of a signal's text. */
export const MAX_LINK_SIGNAL_CHARACTERS = 16_384;

/** Of one description's candidates, and of those that wait for theirs, the first ones count. */
export const MAX_CANDIDATES = 64;

/** As JSON it is the text of a signal. */
export type TrickleSignal =
  /** From the initiator: the first one, and one for each new way. */
  | { readonly type: 'offer'; readonly sdp: string }
  /** From the other side, to the offer of that number. */
  | { readonly type: 'answer'; readonly sdp: string; readonly to: number }
  /** A way to reach the side whose description has this ICE username. */
  | { readonly type: 'candidate'; readonly candidate: string; readonly ufrag: string }
  /** From the side that is not the initiator: asks for an offer of a new way. */
  | { readonly type: 'restart' };

export type NegotiationStep =
  /** Take the offer, and answer it. */
  | { readonly do: 'answer'; readonly sdp: string; readonly to: number }
  /** Take the answer, if the offer of that number is still the newest. */
  | { readonly do: 'accept'; readonly sdp: string; readonly to: number }
  | { readonly do: 'add'; readonly candidate: string }
  | { readonly do: 'restart' };

interface Numbered {
  readonly number: number;
  readonly text: string;
}

interface EarlyCandidate {
  readonly number: number;
  readonly ufrag: string;
  readonly candidate: string;
}

export class Negotiation {
  readonly #initiator: boolean;
  #nextNumber = 0;
  #offer: number | undefined;
  /** The newest description of the other side, with the candidates that it got. */
  #remote:
    | { readonly number: number; readonly ufrag: string; readonly candidates: Set<string> }
    | undefined;
  #early: EarlyCandidate[] = [];
  #lastRequest = -1;

  constructor(initiator: boolean) {
    this.#initiator = initiator;
  }

  /** The number of this side's newest offer. */
  get offer(): number | undefined {
    return this.#offer;
  }

  /** Gives the signal its number. */
  say(signal: TrickleSignal): Numbered {
    const number = this.#nextNumber++;
    if (signal.type === 'offer') this.#offer = number;
    return { number, text: JSON.stringify(signal) };
  }

  /**
   * What to do about a signal of the other side, in this order; nothing about a copy, or one that is
   * out of date.
   * @throws SignalError `not-a-signal`, `wrong-state`; then nothing is changed
   */
  hear({ number, text }: Numbered): NegotiationStep[] {
    if (!Number.isSafeInteger(number) || number < 0) {
      throw new SignalError('not-a-signal', 'a signal without a number');
    }
    const signal = parseTrickleSignal(text);
    switch (signal.type) {
      case 'offer':
        if (this.#initiator) throw wrongState('an offer, where this side makes the offers');
        if (!this.#isNews(number)) return [];
        return [
          { do: 'answer', sdp: signal.sdp, to: number },
          ...this.#describe(number, signal.sdp),
        ];
      case 'answer':
        return this.#hearAnswer(number, signal.sdp, signal.to);
      case 'candidate':
        return this.#hearCandidate({ number, ufrag: signal.ufrag, candidate: signal.candidate });
      case 'restart':
        if (!this.#initiator) throw wrongState('a request, where the other side makes the offers');
        if (number <= this.#lastRequest) return [];
        this.#lastRequest = number;
        return [{ do: 'restart' }];
    }
  }

  #hearAnswer(number: number, sdp: string, to: number): NegotiationStep[] {
    if (this.#offer === undefined || to > this.#offer) throw wrongState('an answer to no offer');
    if (to < this.#offer || !this.#isNews(number)) return [];
    return [{ do: 'accept', sdp, to }, ...this.#describe(number, sdp)];
  }

  #isNews(number: number): boolean {
    return this.#remote === undefined || number > this.#remote.number;
  }

  /** The candidates that waited for this description. */
  #describe(number: number, sdp: string): NegotiationStep[] {
    this.#remote = { number, ufrag: ufragOf(sdp), candidates: new Set() };
    const early = this.#early;
    this.#early = [];
    return early.flatMap((candidate) => this.#hearCandidate(candidate));
  }

  #hearCandidate(early: EarlyCandidate): NegotiationStep[] {
    const { candidate, ufrag, number } = early;
    if (this.#remote?.ufrag !== ufrag) {
      if (this.#isNews(number) && this.#early.length < MAX_CANDIDATES) this.#early.push(early);
      return [];
    }
    const { candidates } = this.#remote;
    if (candidates.has(candidate) || candidates.size >= MAX_CANDIDATES) return [];
    candidates.add(candidate);
    return [{ do: 'add', candidate }];
  }
}

/** The ICE username of a description; empty where it has none. */
export function ufragOf(sdp: string): string {
  return /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1] ?? '';
}

/**
 * Reads what may have come from a stranger.
 * @throws SignalError `not-a-signal`
 */
function parseTrickleSignal(text: string): TrickleSignal {
  if (typeof text !== 'string' || text.length > MAX_LINK_SIGNAL_CHARACTERS) {
    throw notASignal(`more than ${MAX_LINK_SIGNAL_CHARACTERS} characters`);
  }
  const { type, sdp, to, candidate, ufrag } = parseObject(text);
  switch (type) {
    case 'offer':
      return { type, sdp: readSdp(sdp) };
    case 'answer':
      if (typeof to !== 'number' || !Number.isSafeInteger(to)) throw notASignal('names no offer');
      return { type, sdp: readSdp(sdp), to };
    case 'candidate':
      if (typeof candidate !== 'string' || typeof ufrag !== 'string' || !isCandidate(candidate)) {
        throw notASignal('no candidate');
      }
      return { type, candidate, ufrag };
    case 'restart':
      return { type };
    default:
      throw notASignal('of no known type');
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw notASignal('no JSON', cause);
  }
  if (typeof value !== 'object' || value === null) throw notASignal('no object');
  return value as Record<string, unknown>;
}

function readSdp(sdp: unknown): string {
  if (typeof sdp !== 'string' || !describesDataChannel(sdp)) {
    throw notASignal('no description of a data channel');
  }
  return sdp;
}

/** In the grammar of RFC 8839, as far as WebRTC uses it, on one line. */
function isCandidate(text: string): boolean {
  return /^candidate:\S{1,32} \d{1,3} (?:udp|tcp) \d{1,10} \S{1,255} \d{1,5} typ [a-z]{1,16}(?: [ -~]*)?$/i.test(
    text,
  );
}

function notASignal(what: string, cause?: unknown): SignalError {
  return new SignalError('not-a-signal', `not a signal of a link: ${what}`, { cause });
}

function wrongState(what: string): SignalError {
  return new SignalError('wrong-state', `a signal that this side has no use for: ${what}`);
}
