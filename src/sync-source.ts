import type { Replica } from './protocol/replica.ts';

/** What can be synced: a ledger, or a Replica of your own. */
export type SyncSource = Replica | { readonly replica: Replica };

export function replicaOf(source: SyncSource): Replica {
  return 'replica' in source ? source.replica : source;
}
