import type { Ledger } from './ledger/ledger.ts';
import { openLocalLedger } from './ledger/local-ledger.ts';
import type { LedgerOptions } from './ledger/options.ts';

/**
 * Opens the ledger of this name, creating it where there is none.
 * @throws LedgerError `invalid-name`, `invalid-option`, `locked` (open elsewhere), `no-storage`
 * @throws LedgerError `no-snapshot` when the snapshot's address cannot be fetched; BlockError
 * @throws StorageError
 */
export async function openLedger(name: string, options: LedgerOptions = {}): Promise<Ledger> {
  return openLocalLedger(name, options);
}
