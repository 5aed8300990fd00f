import type { Change, Ledger } from '../index.ts';
import { asError } from '../status.ts';
import { keepEqual } from './equal.ts';
import { memoized } from './memoized.ts';
import type { End } from './shared.ts';

/** What is read from a ledger, anew after each change that touches it. */
export interface Reading<S> {
  /** Gives the state after `before`. */
  readonly read: (before: S) => Promise<S>;
  /** Whether a write of these documents may change what is read. */
  readonly touches: (ids: ReadonlySet<string>) => boolean;
  readonly failed: (before: S, error: Error) => S;
}

/**
 * Reads, and reads again when something changed that touches it. One reading follows another, so an
 * older one never takes the place of a newer one; what changes in one turn, or meanwhile, is read at
 * once. A state that says the same as the one before is that one.
 */
export function readLive<S>(
  ledger: Ledger,
  initial: S,
  { read, touches, failed }: Reading<S>,
  set: (state: S) => void,
): End {
  let state = initial;
  let isStale = false;
  let isReading = false;
  let isOver = false;
  const next = (now: S): void => set((state = keepEqual(state, now)));

  const refresh = async (): Promise<void> => {
    isStale = true;
    if (isReading) return;
    isReading = true;
    while (isStale && !isOver) {
      await Promise.resolve();
      isStale = false;
      try {
        next(await read(state));
      } catch (error) {
        next(failed(state, asError(error)));
      }
    }
    isReading = false;
  };

  try {
    const stop = ledger.subscribe((change) => {
      if (touches(idsOf(change))) void refresh();
    });
    void refresh();
    return () => {
      isOver = true;
      stop();
    };
  } catch (error) {
    next(failed(state, asError(error)));
    return () => {};
  }
}

/** Of large changes a thousand components ask for their own documents. */
const idsOf: (change: Change) => ReadonlySet<string> = memoized(({ ids }) => new Set(ids));
