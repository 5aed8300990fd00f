import { createRoomSecret } from 'emberlink';
import { useSyncExternalStore } from 'react';

const STORED_AS = 'todo-list';
const SECRET = /^#(ember-[\w-]{43})$/;

/**
 * The secret of the list that is shown: whoever has it has the list. It stands in the address behind
 * the #, which browsers keep to themselves; without one it is that of the last list, or of a new one.
 */
export function useListSecret(): string {
  return useSyncExternalStore(watchAddress, () => secret);
}

let secret = takeSecret();

function watchAddress(listener: () => void): () => void {
  const changed = (): void => {
    secret = takeSecret();
    listener();
  };
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
}

function takeSecret(): string {
  const given = SECRET.exec(location.hash)?.[1];
  const taken = given ?? localStorage.getItem(STORED_AS) ?? createRoomSecret();
  if (given === undefined) history.replaceState(null, '', `#${taken}`);
  localStorage.setItem(STORED_AS, taken);
  return taken;
}
