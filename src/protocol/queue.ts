/** First in, first out, without the cost of `Array.shift` on long queues. */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    // The slot must let go of its item at once: it may be 64 KiB of frame.
    this.#items[this.#first] = undefined;
    if (this.length > 0) this.#first++;
    if (this.#first > 1024 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Empties the queue and gives what was in it. */
  takeAll(): T[] {
    const items = this.#items.slice(this.#first) as T[];
    this.#items = [];
    this.#first = 0;
    return items;
  }
}

/** Something may have changed: loops wait for the next `wake` and then look for themselves. */
export class Signal {
  #promise: Promise<void> | undefined;
  #resolve: () => void = () => {};

  wait(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  wake(): void {
    this.#promise = undefined;
    this.#resolve();
  }
}
