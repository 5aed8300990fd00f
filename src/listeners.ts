import { tell } from './tell.ts';

/** Who wants to hear of something. */
export class Listeners<News extends readonly unknown[]> {
  readonly #all = new Set<(...news: News) => void>();

  /** Returns the function that takes it out again. */
  add(listener: (...news: News) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(...news: News): void {
    for (const listener of this.#all) tell((all) => listener(...all), news);
  }
}
