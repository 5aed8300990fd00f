import { ConnectionError, LedgerError, SignalError, StorageError } from 'emberlink';
import { connectionWords, signalWords } from '../../site/shared/signal-words.ts';
import { GameError } from '../game-error.ts';

/** What went wrong and what to do next, for people. */
export function wordsFor(error: unknown): string {
  if (error instanceof GameError) return error.message;
  if (error instanceof SignalError) return signalWords(error.code);
  if (error instanceof ConnectionError) return connectionWords(error.code);
  if (error instanceof StorageError && error.code === 'full') {
    return 'This browser has no room left: what is played now is not kept. Free some space.';
  }
  if (error instanceof LedgerError || error instanceof StorageError) {
    return `This browser cannot keep the game (${error.message}). Load the page anew, or try another browser.`;
  }
  return `Something unexpected happened (${String(error)}). Load the page anew.`;
}
