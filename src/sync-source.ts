import type { Replica } from './protocol/replica.ts';

/** What can be synced: a ledger, or a Replica of your own. */
export type SyncSource = Replica | { readonly replica: Replica };

export function replicaOf(source: SyncSource): Replica {
  return 'replica' in source ? source.replica : source;
}

/** The replica of a source that is about to be connected. */
export function replicaForPeers(source: SyncSource): Replica {
  const replica = replicaOf(source);
  replica.prepare?.();
  return replica;
}
