import { LedgerError, StorageError } from '../errors.ts';
import { throwLater } from '../tell.ts';

/** For what is tried again: a storage or a network may serve then; anything else is a bug. */
export function passOver(error: unknown): void {
  if (!(error instanceof StorageError) && !isNotLoaded(error)) throwLater(error);
}

/** True when a part of this library could not be loaded. */
export function isNotLoaded(error: unknown): boolean {
  return error instanceof LedgerError && error.code === 'not-loaded';
}
