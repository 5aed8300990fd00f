import { SignalError } from '../errors.ts';
import {
  decodeSignal,
  encodeSignal,
  offerMark,
  signalId,
  type DecodedSignal,
  type Signal,
  type SignalFormat,
} from './signal.ts';

/** An offer as text, and the mark that answers to it carry. */
export interface OfferText {
  readonly text: string;
  readonly mark: number;
}

/** The texts by which people introduce peers, of one side: what it has offered and accepted serves once. */
export class PastedSignals {
  static readonly #byOwner = new WeakMap<object, PastedSignals>();

  readonly #offered = new Set<string>();
  readonly #accepted = new Set<string>();

  /** Those of an owner, which are the same for all that act for it in this process. */
  static of(owner: object): PastedSignals {
    let signals = this.#byOwner.get(owner);
    if (signals === undefined) {
      signals = new PastedSignals();
      this.#byOwner.set(owner, signals);
    }
    return signals;
  }

  /** The text of one's own offer. */
  offer(signal: Signal, format: SignalFormat): OfferText {
    this.#offered.add(signalId(signal.sdp));
    return { text: encodeSignal(signal, format), mark: offerMark(signal.sdp) };
  }

  /**
   * The offer in a pasted text, to be answered.
   * @throws SignalError `not-a-signal`, `truncated`, `case-changed`, `several-signals`,
   *   `expected-offer`, `own-offer`, `already-used`
   */
  readOffer(text: unknown): DecodedSignal {
    const signal = readSignal(text, 'offer');
    if (signal.type !== 'offer') {
      throw new SignalError('expected-offer', 'this is an answer: give it to connect');
    }
    const id = signalId(signal.sdp);
    if (this.#offered.has(id)) throw ownOffer();
    if (this.#accepted.has(id)) {
      throw new SignalError('already-used', 'this offer was accepted before: ask for a new one');
    }
    return signal;
  }

  /**
   * The text of the answer to an offer, which is accepted by that.
   * @param makeAnswer when it fails the offer can be accepted again: nobody got an answer
   */
  async answer(offer: DecodedSignal, makeAnswer: () => Promise<Signal>): Promise<string> {
    const id = signalId(offer.sdp);
    this.#accepted.add(id);
    try {
      const answer = await makeAnswer();
      return encodeSignal({ ...answer, answers: offerMark(offer.sdp) }, offer.form);
    } catch (error) {
      this.#accepted.delete(id);
      throw error;
    }
  }

  /**
   * The answer in a pasted text; to which offer it is, its `answers` says.
   * @throws SignalError `not-a-signal`, `truncated`, `case-changed`, `several-signals`,
   *   `expected-answer`, `own-offer`
   */
  readAnswer(text: unknown): DecodedSignal {
    const signal = readSignal(text, 'answer');
    if (signal.type === 'answer') return signal;
    if (this.#offered.has(signalId(signal.sdp))) throw ownOffer();
    throw new SignalError('expected-answer', 'this is an offer: give it to accept');
  }
}

/** @throws SignalError, also for what is no text: it comes from a person's hands */
function readSignal(text: unknown, wanted: Signal['type']): DecodedSignal {
  if (typeof text === 'string') return decodeSignal(text, wanted);
  throw new SignalError('not-a-signal', `a ${typeof text} is no signal: paste the text of one`);
}

function ownOffer(): SignalError {
  return new SignalError('own-offer', 'this is your own offer: the other side accepts it');
}
