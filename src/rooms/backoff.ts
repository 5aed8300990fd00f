const FACTOR = 2;

/** Growing waits between attempts, each a random part of what it could be, so that crowds spread. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #failures = 0;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure; tells how long to wait now: a half to the whole of the present bound. */
  next(): number {
    const bound = Math.min(this.#mostMs, this.#firstMs * FACTOR ** this.#failures);
    this.#failures += 1;
    return bound * (0.5 + Math.random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
