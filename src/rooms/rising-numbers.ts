/**
 * Numbers of which each is greater than all before. They follow the time in milliseconds, so that a
 * receiver may forget a sender's last one after a while.
 */
export class RisingNumbers {
  readonly #since = performance.now();
  #last = 0;

  next(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(performance.now() - this.#since));
    return this.#last;
  }
}
