import { useSyncExternalStore } from 'react';
import type { Room, RoomPeer } from '../index.ts';
import { keepRows } from './equal.ts';
import { memoized } from './memoized.ts';
import { watchNothing } from './use-shared.ts';

const NOBODY: readonly RoomPeer[] = [];

/**
 * The others in a room: the same list until something changes, and the same peer as long as it does not.
 * @param room undefined where there is none: nobody
 */
export function usePeers(room: Room | undefined): readonly RoomPeer[] {
  const { watch, look } = room === undefined ? nobody : peersOf(room);
  return useSyncExternalStore(watch, look, () => NOBODY);
}

const nobody = { watch: watchNothing, look: () => NOBODY };

const peersOf = memoized((room: Room) => {
  let peers = NOBODY;
  return {
    watch: (listener: () => void) => room.subscribe(() => listener()),
    look: () => (peers = keepRows(peers, room.peers)),
  };
});
