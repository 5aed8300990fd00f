/** Those who wait until a channel wants more bytes, or closes. */
export class DrainWaiters {
  #waiting: (() => void)[] = [];

  /** How many they are. */
  get count(): number {
    return this.#waiting.length;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
