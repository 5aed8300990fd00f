import { onTestFinished } from 'vitest';
import type { Clock, Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { blocksOf } from '../support/history.ts';

type OpenLedger = (name: string, options: LedgerOptions) => Promise<Ledger>;

let open: OpenLedger = (name, options) => openLedger(name, { storage: 'memory', ...options });

/** Lets `memoryLedger` open ledgers of another kind, which pass the same tests. */
export function openMemoryLedgersBy(opens: OpenLedger): void {
  open = opens;
}

/** A ledger in memory, closed after this test. */
export async function memoryLedger(name: string, options: LedgerOptions = {}): Promise<Ledger> {
  const ledger = await open(name, options);
  onTestFinished(() => ledger.close());
  return ledger;
}

export function texts(clock: Clock): string[] {
  return clock.map((cid) => cid.toString());
}

/** Resolves with the next change that the ledger tells of. */
export function nextChange(ledger: Ledger): Promise<{ ids: readonly string[] }> {
  return new Promise((resolve) => {
    const unsubscribe = ledger.subscribe((change) => {
      unsubscribe();
      resolve(change);
    });
  });
}

/** Gives each ledger all commits of the others. */
export async function exchange(...ledgers: readonly Ledger[]): Promise<void> {
  for (const from of ledgers) {
    const blocks = await blocksOf(from);
    for (const to of ledgers) if (to !== from) await to.replica.receive(blocks);
  }
}
