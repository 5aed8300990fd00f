import type { Ledger } from './ledger/ledger.ts';
import { openLocalLedger } from './ledger/local-ledger.ts';
import { isBrowserStorage, type LedgerOptions } from './ledger/options.ts';
import { tabEnvironment } from './tabs/environment.ts';
import { openSharedLedger } from './tabs/open-shared-ledger.ts';

/**
 * Opens the ledger of this name, creating it where there is none. In browsers any number of tabs may
 * have it open: see the option `tabs`.
 * @throws LedgerError `invalid-name`, `invalid-option`, `no-storage`, `locked` (open elsewhere),
 *   `other-version` (open in a tab with another version of this library)
 * @throws LedgerError `no-snapshot` when the snapshot's address cannot be fetched; BlockError
 * @throws LedgerError `not-loaded` when it needs a part of this library that cannot be loaded now: for
 *   OPFS, and where there is a snapshot to merge
 * @throws StorageError
 */
export async function openLedger(name: string, options: LedgerOptions = {}): Promise<Ledger> {
  const environment = isBrowserStorage(options) ? tabEnvironment() : undefined;
  if (environment === undefined) return openLocalLedger(name, options);
  return openSharedLedger(name, options, environment);
}
