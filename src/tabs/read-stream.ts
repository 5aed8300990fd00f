import type { StreamItems } from './calls.ts';
import type { LedgerTab } from './ledger-tab.ts';

/**
 * What the leader reads out, piece by piece.
 * @throws LedgerError `interrupted` when another tab leads before the end
 */
export async function* readStream<S extends keyof StreamItems>(
  tab: LedgerTab,
  source: S,
): AsyncGenerator<StreamItems[S]> {
  const stream = await tab.call('openStream', source);
  let done = false;
  try {
    while (!done) {
      const next = await tab.call('nextOfStream', stream);
      done = next.done;
      yield* next.items as StreamItems[S][];
    }
  } finally {
    // Nobody waits for it: a reader that is gone is noticed anyway.
    if (!done) Promise.resolve(tab.call('endStream', stream)).catch(() => {});
  }
}
