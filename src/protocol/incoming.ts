import type { Replica } from './replica.ts';

/** Parts of fewer blocks than this do not take turns: they are over before a word is said. */
const BULK_BLOCKS = 64;

/** Whoever has the turn and brings nothing for so long does not keep the others waiting. */
const STALL_MS = 2000;

/** A part of a first sync that a session receives. */
export interface IncomingPart {
  /** Says that the other side shall not go on with it now. */
  hold(): void;
  /** Says that it shall go on. */
  go(): void;
}

/**
 * The parts that the sessions of one replica receive take turns, since different peers mostly offer
 * the same blocks: while one streams, the others hold, and when they go on they leave out what has
 * come meanwhile.
 */
export class Incoming {
  static readonly #byReplica = new WeakMap<Replica, Incoming>();

  #current: IncomingPart | undefined;
  readonly #holding = new Set<IncomingPart>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  static of(replica: Replica): Incoming {
    let incoming = this.#byReplica.get(replica);
    if (incoming === undefined) {
      incoming = new Incoming();
      this.#byReplica.set(replica, incoming);
    }
    return incoming;
  }

  /** A part of so many blocks is about to come. */
  begin(part: IncomingPart, blocks: number): void {
    if (blocks < BULK_BLOCKS || part === this.#current) return;
    if (this.#current === undefined) {
      this.#current = part;
      return;
    }
    this.#holding.add(part);
    part.hold();
    this.#watchStall();
  }

  /** The part goes on: something of it was stored. */
  progress(part: IncomingPart): void {
    if (part === this.#current && this.#timer !== undefined) this.#watchStall();
  }

  /** The part is complete, or will never be. */
  end(part: IncomingPart): void {
    if (this.#holding.delete(part)) part.go();
    if (part !== this.#current) return;
    this.#next();
  }

  #next(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [next] = this.#holding;
    this.#current = next;
    if (next === undefined) return;
    this.#holding.delete(next);
    next.go();
    if (this.#holding.size > 0) this.#watchStall();
  }

  #watchStall(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#next(), STALL_MS);
  }
}
