/**
 * A clock that servers share well enough to tell the later of two joins: each follows the one that is
 * furthest ahead, as far as it has heard, and gives no time twice. So whoever moves from one server to
 * another comes later there, even where that server's own clock is behind.
 */
export class SharedClock {
  #ahead = 0;
  #last = 0;

  /** In µs since 1970: in one ms, a client can join on two servers one after the other. */
  next(): number {
    this.#last = Math.max(this.#last + 1, ownTime() + this.#ahead);
    return this.#last;
  }

  /** Another server's time, just now or earlier. */
  hear(at: number): void {
    this.#ahead = Math.max(this.#ahead, at - ownTime());
  }
}

function ownTime(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}
