/** How many seconds are remembered one by one. */
export const TRAFFIC_SECONDS = 60;
/** A rate is the mean of so many whole seconds. */
const RATE_SECONDS = 3;

export type Direction = 'in' | 'out';

interface OneWay {
  bytes: number;
  messages: number;
  readonly bytesBySecond: Float64Array;
}

/** What travels over a link: totals, and bytes in each second of the last minute. */
export class Traffic {
  readonly #ways: Readonly<Record<Direction, OneWay>> = { in: oneWay(), out: oneWay() };
  /** The last second that has a place in the rings. */
  #second = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  /** @param nowMs on any clock that does not go back */
  add(direction: Direction, bytes: number, nowMs: number): void {
    this.#advance(nowMs);
    const way = this.#ways[direction];
    way.bytes += bytes;
    way.messages++;
    way.bytesBySecond[this.#second % TRAFFIC_SECONDS]! += bytes;
    this.#lastAt = nowMs;
  }

  bytes(direction: Direction): number {
    return this.#ways[direction].bytes;
  }

  messages(direction: Direction): number {
    return this.#ways[direction].messages;
  }

  /** Bytes a second, over the last whole seconds. */
  rate(direction: Direction, nowMs: number): number {
    const recent = this.series(direction, nowMs).slice(-RATE_SECONDS - 1, -1);
    return recent.reduce((sum, bytes) => sum + bytes, 0) / RATE_SECONDS;
  }

  /** Bytes in each second, oldest first; the last one is still going on. */
  series(direction: Direction, nowMs: number): number[] {
    this.#advance(nowMs);
    const { bytesBySecond } = this.#ways[direction];
    return Array.from(
      { length: TRAFFIC_SECONDS },
      (_, place) => bytesBySecond[(this.#second + 1 + place) % TRAFFIC_SECONDS]!,
    );
  }

  /** Whether what is shown of it still changes by itself, as seconds pass. */
  isRecent(nowMs: number): boolean {
    return nowMs - this.#lastAt < (TRAFFIC_SECONDS + 1) * 1000;
  }

  #advance(nowMs: number): void {
    const second = Math.max(this.#second, Math.floor(nowMs / 1000));
    const passed = Math.min(second - this.#second, TRAFFIC_SECONDS);
    for (let back = 0; back < passed; back++) {
      this.#ways.in.bytesBySecond[(second - back) % TRAFFIC_SECONDS] = 0;
      this.#ways.out.bytesBySecond[(second - back) % TRAFFIC_SECONDS] = 0;
    }
    this.#second = second;
  }
}

function oneWay(): OneWay {
  return { bytes: 0, messages: 0, bytesBySecond: new Float64Array(TRAFFIC_SECONDS) };
}
