import { createRoomSecret } from 'emberlink';
import { useSyncExternalStore } from 'react';

const STORED_AS = 'todo-list';
const SECRET = /^#(ember-[\w-]{43})$/;

/**
 * The secret of the list that is shown: whoever has it has the list. It stands in the address behind
 * the #, which browsers keep to themselves; without one it is that of the last list, or of a new one.
 */
export function useListSecret(): string {
  return useSyncExternalStore(watchAddress, secretInAddress);
}

function watchAddress(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}

function secretInAddress(): string {
  const given = SECRET.exec(location.hash)?.[1];
  const secret = given ?? localStorage.getItem(STORED_AS) ?? createRoomSecret();
  if (given === undefined) history.replaceState(null, '', `#${secret}`);
  localStorage.setItem(STORED_AS, secret);
  return secret;
}
