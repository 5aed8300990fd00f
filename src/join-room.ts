import { RoomError } from './errors.ts';
import { guardReplica } from './ledger/guard.ts';
import { isLedgerReplica } from './ledger/replica.ts';
import { LocalRoom } from './local-room.ts';
import type { Room, RoomOptions } from './room.ts';
import { replicaOf, type SyncSource } from './sync-source.ts';

/**
 * Brings a ledger in sync with those of all members of a room, and keeps it so: through lost
 * connections, sleep, and servers that come and go. Returns at once; see `Room.synced`.
 * @param source a ledger, or a Replica of your own
 * @throws RoomError `invalid-option`
 */
export function joinRoom(source: SyncSource, options: RoomOptions): Room {
  const replica = replicaOf(source);
  if (options.validate === undefined) return new LocalRoom(replica, options);
  if (isLedgerReplica(replica)) {
    return new LocalRoom(guardReplica(replica, options.validate), options);
  }
  throw new RoomError('invalid-option', 'validate looks at the commits of a ledger: give one');
}
