import { useSyncExternalStore } from 'react';
import type { Room } from '../index.ts';
import { keepEqual } from './equal.ts';
import { memoized } from './memoized.ts';
import { watchNothing } from './use-shared.ts';

export interface PresenceState<Value = unknown> {
  /** What was set here; undefined for nothing. */
  readonly own: Value | undefined;
  /** What the others show, by the id of the peer. */
  readonly others: ReadonlyMap<string, Value>;
  /**
   * Shows a value to the others, undefined for none. Another function when the room is another one,
   * so an effect that has it among its dependencies shows its value in each. Without a room nothing
   * happens.
   * @throws RoomError `invalid-option` for what dag-cbor cannot hold
   */
  readonly set: (value: Value | undefined) => void;
}

const NOTHING: PresenceState = { own: undefined, others: new Map(), set: () => {} };

/**
 * Values that last as long as their members stay: cursors, names.
 * @param room undefined where there is none: nothing is shown
 * @typeParam Value what you expect the others to show; nothing checks that
 */
export function usePresence<Value = unknown>(room: Room | undefined): PresenceState<Value> {
  const { watch, look } = room === undefined ? nothing : presenceOf(room);
  return useSyncExternalStore(watch, look, () => NOTHING) as PresenceState<Value>;
}

const nothing = { watch: watchNothing, look: () => NOTHING };

const presenceOf = memoized(({ presence }: Room) => {
  const listeners = new Set<() => void>();
  const set = (value: unknown): void => {
    presence.set(value);
    // A room tells only of what others show.
    for (const listener of listeners) listener();
  };
  let seen: PresenceState = NOTHING;
  return {
    watch: (listener: () => void) => {
      listeners.add(listener);
      const stop = presence.subscribe(() => listener());
      return () => {
        listeners.delete(listener);
        stop();
      };
    },
    look: () => (seen = keepEqual(seen, { own: presence.own, others: presence.all(), set })),
  };
});
