import { useMemo } from 'react';
import { type Ledger, type LedgerOptions, openLedger } from '../index.ts';
import { asError } from '../status.ts';
import { Registry } from './registry.ts';
import type { End } from './shared.ts';
import { useShared } from './use-shared.ts';
import { useStableOptions } from './use-stable-options.ts';

export type LedgerState =
  | { readonly state: 'opening'; readonly ledger: undefined; readonly error: undefined }
  | { readonly state: 'open'; readonly ledger: Ledger; readonly error: undefined }
  /** What `openLedger` threw. */
  | { readonly state: 'failed'; readonly ledger: undefined; readonly error: Error };

const OPENING: LedgerState = { state: 'opening', ledger: undefined, error: undefined };

const ledgers = new Registry<LedgerState>();

/**
 * Opens a ledger; give `ledger` to the other hooks, and write by its own methods. Components that name
 * the same ledger with the same options share one; it is closed a moment after the last of them is
 * gone. After a failure the next one that is mounted when all of them are gone tries again.
 * @param options compared by value, so they may be written down anew at each rendering. A `Place` of
 *   your own is itself alone: make it outside of rendering
 */
export function useLedger(name: string, options?: LedgerOptions): LedgerState {
  const stable = useStableOptions(options);
  const source = useMemo(
    () => ({
      registry: ledgers,
      key: name,
      options: stable,
      begin: (set: (state: LedgerState) => void) => begin(name, stable, set),
    }),
    [name, stable],
  );
  return useShared(source, OPENING);
}

/** Keeps a ledger that `useLedger` has opened from being closed, until the returned function is called. */
export function keepOpen(ledger: Ledger): () => void {
  const shared = ledgers.all(ledger.name).find((each) => each.state.ledger === ledger);
  return shared === undefined || shared.isOver ? () => {} : shared.use();
}

function begin(
  name: string,
  options: LedgerOptions | undefined,
  set: (state: LedgerState) => void,
): End {
  let isWanted = true;
  // One of the same name with other options may still be closing, or about to.
  const before = ledgers.all(name).filter(({ isWatched }) => !isWatched);
  const open = async (): Promise<Ledger | undefined> => {
    await Promise.all(before.map(({ ended }) => ended));
    return isWanted ? openLedger(name, options) : undefined;
  };
  const opened = open().then(
    (ledger) => {
      if (ledger !== undefined) set({ state: 'open', ledger, error: undefined });
      return ledger;
    },
    (error: unknown) => {
      set({ state: 'failed', ledger: undefined, error: asError(error) });
      return undefined;
    },
  );
  return async () => {
    isWanted = false;
    await (await opened)?.close();
  };
}
