import type { Replica } from './protocol/replica.ts';

/** What can be synced: a ledger, or a Replica of your own. */
export type SyncSource = Replica | { readonly replica: Replica };

/** The replica of a source that is about to be synced. */
export function replicaOf(source: SyncSource): Replica {
  const replica = 'replica' in source ? source.replica : source;
  replica.prepare?.();
  return replica;
}
