import { useMemo } from 'react';
import { joinRoom, type Ledger, type Room, type RoomOptions, type RoomStatus } from '../index.ts';
import { asError } from '../status.ts';
import { keepEqual } from './equal.ts';
import { Registry } from './registry.ts';
import type { End } from './shared.ts';
import { keepOpen } from './use-ledger.ts';
import { useShared } from './use-shared.ts';
import { useStableOptions } from './use-stable-options.ts';

export type RoomState =
  /** There is no ledger yet, or no options. */
  | { readonly state: 'waiting'; readonly room: undefined; readonly error: undefined }
  /** As in `room.status`, which has more. */
  | {
      readonly state: RoomStatus['state'];
      readonly room: Room;
      readonly error: RoomStatus['error'];
    }
  /** What `joinRoom` threw. */
  | { readonly state: 'failed'; readonly room: undefined; readonly error: Error };

const WAITING: RoomState = { state: 'waiting', room: undefined, error: undefined };

const rooms = new Registry<RoomState>();

/**
 * Stays in a room while components that ask for it are mounted, with the same ledger and options in
 * the same stay, and leaves it a moment after. Give `room` to `usePeers` and `usePresence`.
 * @param ledger undefined while it opens: `waiting`
 * @param options undefined for no room; compared by value, and functions may be new each time: the
 *   one that was rendered last is called. An adapter is itself alone: make it outside of rendering
 */
export function useRoom(ledger: Ledger | undefined, options: RoomOptions | undefined): RoomState {
  const stable = useStableOptions(options);
  const source = useMemo(() => {
    if (ledger === undefined || stable === undefined) return undefined;
    const begin = (set: (state: RoomState) => void): End => stay(ledger, stable, set);
    return { registry: rooms, key: ledger, options: stable, begin };
  }, [ledger, stable]);
  return useShared(source, WAITING);
}

function stay(ledger: Ledger, options: RoomOptions, set: (state: RoomState) => void): End {
  let room: Room;
  try {
    room = joinRoom(ledger, options);
  } catch (error) {
    set({ state: 'failed', room: undefined, error: asError(error) });
    return () => {};
  }
  const letGo = keepOpen(ledger);
  let seen: RoomState = WAITING;
  const look = (): void => {
    const { state, error } = room.status;
    set((seen = keepEqual(seen, { state, room, error })));
  };
  const stop = room.subscribe(look);
  look();
  return async () => {
    stop();
    try {
      await room.leave();
    } finally {
      letGo();
    }
  };
}
