/**
 * What time it is among those who play: one's own clock, set forward or back by the median of all
 * clocks, one's own among them. So all who hear each other agree, a clock that is wrong moves nobody
 * far, and nobody's has to be right.
 */
export class SharedClock {
  readonly #ownTime: () => number;
  readonly #offsets = new Map<string, Offsets>();
  #offsetMs = 0;

  /** @param ownTime in milliseconds since 1970 */
  constructor(ownTime: () => number) {
    this.#ownTime = ownTime;
  }

  /** In milliseconds since 1970. */
  now(): number {
    return this.#ownTime() + this.#offsetMs;
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Somebody's own clock showed this when it was sent, half a round trip before now. */
  hear(from: string, theirTime: number, roundTripMs: number): void {
    const offset = theirTime + roundTripMs / 2 - this.#ownTime();
    // Who lives in another age is not asked what time it is.
    if (!(Math.abs(offset) <= MOST_OFF_MS)) return;
    let offsets = this.#offsets.get(from);
    if (offsets === undefined) this.#offsets.set(from, (offsets = new Offsets()));
    if (offsets.add(offset)) this.#settle();
  }

  /**
   * Those are there now; the clocks of others count no more. When nobody is there any more the time goes
   * on as it did: a round that is being played does not leap.
   */
  keepOnly(present: ReadonlySet<string>): void {
    const gone = [...this.#offsets.keys()].filter((each) => !present.has(each));
    if (gone.length === 0 || gone.length === this.#offsets.size) return;
    for (const each of gone) this.#offsets.delete(each);
    this.#settle();
  }

  #settle(): void {
    const all = [0, ...[...this.#offsets.values()].map((offsets) => offsets.greatest)];
    all.sort((a, b) => a - b);
    const middle = all.length >> 1;
    this.#offsetMs = all.length % 2 === 1 ? all[middle]! : (all[middle - 1]! + all[middle]!) / 2;
  }
}

const MOST_OFF_MS = 24 * 60 * 60 * 1000;
/** Of so many readings the one that was least late counts. */
const READINGS = 64;

/** Readings of one clock. What is late shows too early a time, so the greatest offset is the best. */
class Offsets {
  readonly #newest: number[] = [];
  #next = 0;
  greatest: number = Number.NEGATIVE_INFINITY;

  /** Whether the best has changed by something that matters. */
  add(offset: number): boolean {
    this.#newest[this.#next] = offset;
    this.#next = (this.#next + 1) % READINGS;
    const greatest = Math.max(...this.#newest);
    if (Math.abs(greatest - this.greatest) < 1) return false;
    this.greatest = greatest;
    return true;
  }
}
