import { GuardedReplica, type Validate } from './guard.ts';
import type { LedgerReplica } from './replica.ts';

/**
 * The replica of a ledger, of whose peers nothing is stored before `validate` has taken it, not even
 * among what waits for its parents. It is asked in the order in which things come, when what came with
 * them before may not be merged yet, and not again about what is held, though twice about what two
 * peers bring at once. A refusal ends the session that brought it: `receive` throws BlockError
 * `refused`, with what came before it stored. Give one guard to all sessions of a ledger, since
 * sessions of one replica know of each other.
 */
export function guardReplica(replica: LedgerReplica, validate: Validate): GuardedReplica {
  return new GuardedReplica(replica, validate);
}
