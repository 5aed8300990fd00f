import type { Ledger } from '../ledger/ledger.ts';
import { type LocalLedger, openLocalLedger } from '../ledger/local-ledger.ts';
import { checkLedgerName, checkLedgerOptions, type LedgerOptions } from '../ledger/options.ts';
import type { TabEnvironment } from './environment.ts';
import { LedgerTab } from './ledger-tab.ts';
import { SharedLedger } from './shared-ledger.ts';

/**
 * Opens a ledger that all tabs of an origin can have open at a time.
 * @param open opens it for the tab that leads
 * @throws as `openLedger`
 */
export async function openSharedLedger(
  name: string,
  options: LedgerOptions,
  environment: TabEnvironment,
  open: () => Promise<LocalLedger> = () => openLocalLedger(name, options),
): Promise<Ledger> {
  checkLedgerName(name);
  const { maxDocumentBytes } = checkLedgerOptions(options);
  const tab = await LedgerTab.join({
    name,
    // One that lies elsewhere is another ledger, though it has the same name.
    channel: options.storage === 'opfs' ? `emberlink:opfs:${name}` : `emberlink:${name}`,
    environment,
    exclusive: options.tabs === 'exclusive',
    open,
  });
  return new SharedLedger(tab, maxDocumentBytes);
}
