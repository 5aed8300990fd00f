const WINDOW = 1024;

/** Which numbers of one sender have come: copies, and what is older than all that is remembered, have. */
class Numbers {
  readonly #seen = new Set<number>();
  #floor = -1;

  add(number: number): boolean {
    if (number <= this.#floor || this.#seen.has(number)) return false;
    this.#seen.add(number);
    if (this.#seen.size > WINDOW) {
      this.#floor = Math.min(...this.#seen);
      this.#seen.delete(this.#floor);
    }
    return true;
  }
}

const MAX_SENDERS = 1024;

/** Tells copies from what is new, by sender and number; of very many senders it forgets the first. */
export class Seen {
  readonly #bySender = new Map<string, Numbers>();

  /** True the first time. */
  add(sender: string, number: number): boolean {
    let numbers = this.#bySender.get(sender);
    if (numbers === undefined) {
      if (this.#bySender.size >= MAX_SENDERS) {
        this.#bySender.delete(this.#bySender.keys().next().value!);
      }
      numbers = new Numbers();
      this.#bySender.set(sender, numbers);
    }
    return numbers.add(number);
  }
}
