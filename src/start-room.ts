import { GuardedReplica } from './ledger/guard.ts';
import { isLedgerReplica } from './ledger/is-ledger-replica.ts';
import { LocalRoom } from './local-room.ts';
import type { Replica } from './protocol/replica.ts';
import type { Room } from './room.ts';
import type { RoomSettings } from './room-settings.ts';
import { createMemberId } from './rooms/card.ts';
import { SharedRoom } from './tabs/shared-room.ts';
import { isSharedSource } from './tabs/shared-source.ts';

/**
 * Goes into a room. All that rooms are made of is loaded with this file, and by nothing that a page
 * loads at once.
 * @param id one's own; tabs that share a ledger have that of the one among them that is in the room
 */
export function startRoom(replica: Replica, settings: RoomSettings, id: string): Room {
  const { validate } = settings;
  const isGuarded = validate !== undefined && isLedgerReplica(replica);
  const guarded = isGuarded ? new GuardedReplica(replica, validate) : replica;
  if (!isSharedSource(replica)) return new LocalRoom(guarded, settings, id);
  return new SharedRoom(
    replica,
    settings,
    () => new LocalRoom(guarded, settings, createMemberId()),
  );
}
