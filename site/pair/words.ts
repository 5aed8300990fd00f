import { ConnectionError, LedgerError, ProtocolError, SignalError, StorageError } from 'emberlink';
import { connectionWords, signalWords } from '../shared/signal-words.ts';

/** What went wrong and what to do next, for people. */
export function wordsFor(error: unknown): string {
  if (error instanceof SignalError) return signalWords(error.code);
  if (error instanceof ConnectionError) return connectionWords(error.code);
  if (error instanceof ProtocolError) {
    return error.code === 'connected-to-self'
      ? 'That was this very list, in another tab. Pair with another browser.'
      : `The other side said something that this page does not understand (${error.message}). Your notes are safe; load the page anew on both sides and pair again.`;
  }
  if (error instanceof StorageError && error.code === 'full') {
    return 'This browser has no room left, so the last change was not kept. Free some space, then try again.';
  }
  if (error instanceof LedgerError || error instanceof StorageError) {
    return `This browser could not keep the list (${error.message}). Load the page anew.`;
  }
  return `Something unexpected happened (${String(error)}). Load the page anew; your notes are kept.`;
}
