import type { MaybePromise } from './blocks.ts';

/** Runs one piece of work at a time, in the order asked for; at once when nothing is running. */
export class Turns {
  #running = false;
  readonly #waiting: (() => void)[] = [];

  async run<T>(work: () => MaybePromise<T>): Promise<T> {
    if (this.#running) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#running = true;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running = false;
      else next();
    }
  }
}
