import type { Direction } from './traffic.ts';

/** Blocks on their way, as a dot. */
export interface FlightDot {
  /** Where it comes from or goes to. */
  readonly peer: string;
  readonly direction: Direction;
  /** How many blocks it stands for. */
  readonly blocks: number;
  /** From 0, where it starts, to 1. */
  readonly progress: number;
  /** From -1 to 1: how far it keeps from the straight line. */
  readonly sway: number;
}

interface Flying {
  readonly peer: string;
  readonly direction: Direction;
  readonly blocks: number;
  readonly startsAt: number;
  readonly sway: number;
}

/** How long a dot is on its way. */
const FLIGHT_MS = 900;
/** Blocks that go together start within this time, */
const SPREAD_MS = 350;
/** as so many dots at most. */
const MAX_DOTS_PER_GROUP = 10;
const MAX_DOTS = 300;
/** Turns of the golden ratio: neighbours keep well apart. */
const SWAY_STEP = 0.618;

/** Where the blocks of the last moments are on their way, for the eye: real ones are there sooner. */
export class Flight {
  #flying: Flying[] = [];
  #turn = 0;

  /** @param nowMs on a clock that does not go back */
  add(peer: string, direction: Direction, blocks: number, nowMs: number): void {
    const dots = Math.min(blocks, MAX_DOTS_PER_GROUP);
    for (let dot = 0; dot < dots; dot++) {
      this.#turn = (this.#turn + SWAY_STEP) % 1;
      this.#flying.push({
        peer,
        direction,
        blocks: Math.floor(((dot + 1) * blocks) / dots) - Math.floor((dot * blocks) / dots),
        startsAt: nowMs + (dots === 1 ? 0 : (dot * SPREAD_MS) / dots),
        sway: this.#turn * 2 - 1,
      });
    }
    if (this.#flying.length > MAX_DOTS) this.#flying.splice(0, this.#flying.length - MAX_DOTS);
  }

  /** Those that have started and are not there yet. */
  dots(nowMs: number): FlightDot[] {
    this.#flying = this.#flying.filter(({ startsAt }) => nowMs < startsAt + FLIGHT_MS);
    return this.#flying.flatMap(({ startsAt, ...dot }) =>
      nowMs < startsAt ? [] : [{ ...dot, progress: (nowMs - startsAt) / FLIGHT_MS }],
    );
  }

  /** False when nothing is on its way, or about to start. */
  get isBusy(): boolean {
    return this.#flying.length > 0;
  }

  clear(): void {
    this.#flying = [];
  }
}
