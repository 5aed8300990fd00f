import { RoomError } from './errors.ts';
import { guardReplica } from './ledger/guard.ts';
import { isLedgerReplica } from './ledger/replica.ts';
import { checkRoomOptions, LocalRoom } from './local-room.ts';
import type { Replica } from './protocol/replica.ts';
import type { Room, RoomOptions } from './room.ts';
import { replicaOf, type SyncSource } from './sync-source.ts';
import { isSharedSource, SharedRoom } from './tabs/shared-room.ts';

/**
 * Brings a ledger in sync with those of all members of a room, and keeps it so: through lost
 * connections, sleep, and servers that come and go. Returns at once; see `Room.synced`. Of several tabs
 * that have one ledger open and join one room, one has the connections: to others they are one member.
 * @param source a ledger, or a Replica of your own
 * @throws RoomError `invalid-option`
 */
export function joinRoom(source: SyncSource, options: RoomOptions): Room {
  const replica = replicaOf(source);
  const guarded = withRules(replica, options);
  if (!isSharedSource(replica)) return new LocalRoom(guarded, options);
  checkRoomOptions(options);
  return new SharedRoom(replica, options, () => new LocalRoom(guarded, options));
}

function withRules(replica: Replica, { validate }: RoomOptions): Replica {
  if (validate === undefined) return replica;
  if (isLedgerReplica(replica)) return guardReplica(replica, validate);
  throw new RoomError('invalid-option', 'validate looks at the commits of a ledger: give one');
}
