import type { Turns } from '../turns.ts';
import type { Clock } from './ledger.ts';
import type { Write } from './transaction.ts';

/** Commits writes; `refuse` is told of a document whose write cannot be. */
type Commit = (
  writes: readonly Write[],
  refuse: (id: string, error: unknown) => void,
) => Promise<void>;

interface PendingWrite {
  readonly write: Write;
  readonly resolve: (clock: Clock) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes issued in the same tick, which are committed together. */
export class WriteQueue {
  readonly #turns: Turns;
  readonly #commit: Commit;
  readonly #clock: () => Clock;
  #pending: PendingWrite[] = [];

  /** @param clock that of the ledger, when writes are committed */
  constructor(turns: Turns, commit: Commit, clock: () => Clock) {
    this.#turns = turns;
    this.#commit = commit;
    this.#clock = clock;
  }

  /** Resolves with the clock when the write is committed. */
  add(write: Write): Promise<Clock> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ write, resolve, reject });
      if (this.#pending.length > 1) return;
      // The first write of a tick; those that follow in the same tick join its commit.
      queueMicrotask(() => void this.#turns.run(() => this.flush()));
    });
  }

  /** Commits what is pending, in a turn. Never rejects: each write is told by its own promise. */
  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    try {
      await this.#commit(
        pending.map(({ write }) => write),
        (id, error) => {
          for (const { write, reject } of pending) if (write.id === id) reject(error);
        },
      );
      const clock = this.#clock();
      for (const { resolve } of pending) resolve(clock);
    } catch (error) {
      for (const { reject } of pending) reject(error);
    }
  }
}
