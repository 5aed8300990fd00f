import { loadArchive, loadLater } from '../../src/ledger/load-later.ts';

type Task = () => void;

interface Entry {
  readonly atMs: number;
  /** Of tasks due at the same time the one scheduled first runs first. */
  readonly order: number;
  task: Task | undefined;
}

const realSetImmediate = globalThis.setImmediate;

/**
 * Time that passes only when there is nothing left to do at the present moment.
 *
 * While it is installed, timers and `performance.now` are its own. Between two of its tasks all
 * promises settle (one turn of the real event loop), so what runs is decided by the tasks' times and
 * order alone: code that does nothing asynchronous but promises and timers runs the same way each time.
 */
export class VirtualClock {
  #nowMs = 0;
  #order = 0;
  #heap: Entry[] = [];

  /** Milliseconds since the clock was made. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs the task so many milliseconds from now; returns the function that prevents it. */
  after(delayMs: number, task: Task): () => void {
    return this.at(this.#nowMs + delayMs, task);
  }

  /** Runs the task at this time, or as soon as possible after it. */
  at(atMs: number, task: Task): () => void {
    const entry: Entry = { atMs: Math.max(this.#nowMs, atMs), order: this.#order++, task };
    this.#push(entry);
    return () => {
      entry.task = undefined;
    };
  }

  /**
   * Runs task after task until none is left, or the next is due after `untilMs`, which it is then.
   * @throws Error when that takes more than `maxTasks`
   */
  async run(untilMs: number = Infinity, maxTasks: number = Infinity): Promise<void> {
    // What is loaded when it is first needed would take real time.
    await Promise.all([loadArchive(), loadLater()]);
    await promisesSettle();
    for (let tasks = 0; ; tasks++) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pop();
      if (next.task === undefined) continue;
      if (tasks >= maxTasks) throw new Error(`not quiet after ${maxTasks} steps`);
      this.#nowMs = next.atMs;
      next.task();
      await promisesSettle();
    }
    if (untilMs < Infinity) this.#nowMs = untilMs;
  }

  /** Takes the place of timers and of `performance.now`; returns the function that ends this. */
  install(): () => void {
    const later = (callback: () => void, delayMs = 0): VirtualTimer =>
      new VirtualTimer(this.after(delayMs, callback));
    const { setTimeout, clearTimeout, setImmediate } = globalThis;
    const clear = (timer: unknown): void => {
      if (timer instanceof VirtualTimer) timer.cancel();
      else clearTimeout(timer as NodeJS.Timeout);
    };
    Object.assign(globalThis, {
      setTimeout: later,
      clearTimeout: clear,
      setImmediate: (callback: () => void) => later(callback),
    });
    Object.defineProperty(performance, 'now', { configurable: true, value: () => this.#nowMs });
    return () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
      Reflect.deleteProperty(performance, 'now');
    };
  }

  // --- a binary heap: the earliest entry is the first ---

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, entry)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

class VirtualTimer {
  readonly cancel: () => void;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }

  unref(): this {
    return this;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A turn of the event loop ends only when no promise is left that could go on. */
function promisesSettle(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}
