import { LedgerError } from '../errors.ts';
import { loadPart } from '../load-part.ts';

/** @throws LedgerError `not-loaded`; the next call tries again */
export const loadArchive: () => Promise<typeof import('./archive.ts')> = loadPart(
  () => import('./archive.ts'),
  LedgerError,
);

/** @throws LedgerError `not-loaded`; the next call tries again */
export const loadLater: () => Promise<typeof import('./later.ts')> = loadPart(
  () => import('./later.ts'),
  LedgerError,
);

/** Begins to load what peers take. What goes wrong is told to the call that needs it. */
export function prepareForPeers(): void {
  loadLater().catch(() => {});
}
