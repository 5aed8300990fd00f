import { RoomError } from './errors.ts';
import { LazyRoom } from './lazy-room.ts';
import { isLedgerReplica } from './ledger/is-ledger-replica.ts';
import { loadPart } from './load-part.ts';
import type { Room, RoomOptions } from './room.ts';
import { roomSettings } from './room-settings.ts';
import { replicaForPeers, type SyncSource } from './sync-source.ts';

const loadRooms = loadPart(() => import('./start-room.ts'), RoomError);

/**
 * Brings a ledger in sync with those of all members of a room, and keeps it so: through lost
 * connections, sleep, and servers that come and go. Returns at once; see `Room.synced`. Of several tabs
 * that have one ledger open and join one room, one has the connections: to others they are one member.
 * @param source a ledger, or a Replica of your own
 * @throws RoomError `invalid-option`
 */
export function joinRoom(source: SyncSource, options: RoomOptions): Room {
  const replica = replicaForPeers(source);
  const settings = roomSettings(options);
  if (settings.validate !== undefined && !isLedgerReplica(replica)) {
    throw new RoomError('invalid-option', 'validate looks at the commits of a ledger: give one');
  }
  return new LazyRoom(replica, settings, loadRooms);
}
