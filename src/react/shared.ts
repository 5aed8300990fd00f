/** Ends what was begun. */
export type End = () => void | Promise<void>;

/**
 * How long something goes on that nobody uses any more: long enough for a component that is mounted
 * again at once, as in strict mode, or that takes the place of another.
 */
const LINGER_MS = 250;

/**
 * What several components have in common: an open ledger, the rows of a query, a stay in a room. It
 * begins when the first of them is mounted and ends a moment after the last one is gone, once: who
 * comes later gets another one. After a failure there is no such moment, so that the next one tries
 * anew.
 */
export class Shared<S extends { readonly state: string }> {
  /** Resolves when what was begun has been ended. */
  readonly ended: Promise<void>;
  readonly #begin: (set: (state: S) => void) => End;
  readonly #listeners = new Set<() => void>();
  #state: S;
  #uses = 0;
  #end: End | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  #tellEnded: () => void = () => {};

  constructor(initial: S, begin: (set: (state: S) => void) => End) {
    this.#state = initial;
    this.#begin = begin;
    this.ended = new Promise((resolve) => (this.#tellEnded = resolve));
  }

  get state(): S {
    return this.#state;
  }

  /** Whether it has ended, or is ending. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Keeps it going until the returned function is called, once. */
  use(): () => void {
    this.#uses++;
    clearTimeout(this.#timer);
    this.#end ??= this.#begin((state) => this.#set(state));
    return () => {
      if (--this.#uses > 0) return;
      if (this.#state.state === 'failed') this.#finish();
      else this.#timer = setTimeout(() => this.#finish(), LINGER_MS);
    };
  }

  /** Uses it, and calls the listener when its state changes, until the returned function is called. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    const release = this.use();
    return () => {
      this.#listeners.delete(listener);
      release();
    };
  }

  #set(state: S): void {
    if (this.#isOver || state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  #finish(): void {
    this.#isOver = true;
    void this.#endAll();
  }

  /** What fails here has nobody left to tell: it surfaces as a rejection that nobody handled. */
  async #endAll(): Promise<void> {
    try {
      await this.#end?.();
    } finally {
      this.#tellEnded();
    }
  }
}
