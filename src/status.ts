import { tell } from './tell.ts';

/** A status that changes until it is `closed`, and those who watch it. */
export class Status<S extends { readonly state: string }> {
  readonly #listeners = new Set<(status: S) => void>();
  #value: S;

  constructor(value: S) {
    this.#value = value;
  }

  get value(): S {
    return this.#value;
  }

  subscribe(listener: (status: S) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells everybody; nothing follows a `closed`. */
  set(value: S): void {
    if (this.#value.state === 'closed') return;
    this.#value = value;
    for (const listener of this.#listeners) {
      // A listener may have ended it all: the others have heard of that, and it was the last.
      if (this.#value !== value) return;
      tell(listener, value);
    }
  }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
