import { LedgerError } from '../errors.ts';

/** For a part of this library that could not be loaded when it was needed. */
export function notLoaded(cause: unknown): LedgerError {
  return new LedgerError(
    'not-loaded',
    'a part of emberlink that is loaded when it is needed could not be: try again when the page is online, or load the page anew if its app was updated',
    { cause },
  );
}
