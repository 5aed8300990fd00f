/**
 * A clock that servers share well enough to tell the later of two joins: each follows the one that is
 * furthest ahead, as far as it has heard, and gives no time twice. So whoever moves from one server to
 * another comes later there, even where that server's own clock is behind.
 */
export class SharedClock {
  #aheadMs = 0;
  #last = 0;

  next(): number {
    this.#last = Math.max(this.#last + 1, Date.now() + this.#aheadMs);
    return this.#last;
  }

  /** Another server's time, just now or earlier. */
  hear(at: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, at - Date.now());
  }
}
