import type { LedgerReplica } from './replica.ts';

/** True for what a guard can stand before. */
export function isLedgerReplica(replica: object): replica is LedgerReplica {
  return 'isKnown' in replica && 'bringsNews' in replica;
}
