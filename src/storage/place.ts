import type { MaybePromise } from '../blocks.ts';
import { StorageError } from '../errors.ts';

/**
 * A place where a log can live: a few named byte files of one ledger. Names are plain
 * (`[a-z0-9.-]+`), offsets and lengths are bytes. A place answers at once where it can.
 *
 * Failures are StorageErrors: `full` when there is no room, `io` for the rest.
 */
export interface Place {
  /** Names and sizes of all files, in any order. */
  list(): MaybePromise<{ name: string; size: number }[]>;
  /** Exactly `length` bytes from `offset`, the caller's own; fewer only at the end of the file. */
  read(name: string, offset: number, length: number): MaybePromise<Uint8Array>;
  /**
   * Writes at the end, creating the file. On failure the file may hold a part: truncate it. When it
   * is done the bytes are the caller's again, to be written over.
   */
  append(name: string, bytes: Uint8Array): MaybePromise<void>;
  truncate(name: string, size: number): MaybePromise<void>;
  /** Makes what was appended to `name`, and its name, survive the loss of power. */
  sync(name: string): MaybePromise<void>;
  /** Puts `bytes` in the place of the whole file, so that a reader finds the old or the new. */
  replace(name: string, bytes: Uint8Array): MaybePromise<void>;
  /** Nothing happens when there is no such file. */
  remove(name: string): MaybePromise<void>;
  /** Gives up files and locks. Later calls of the other methods throw. */
  close(): MaybePromise<void>;
  /** Closes and removes everything. */
  destroy(): MaybePromise<void>;
}

/** Throws a StorageError `io` unless the name is plain: a place never reaches outside itself. */
export function checkFileName(name: string): void {
  if (!isPlainName(name)) throw new StorageError('io', `${JSON.stringify(name)} is no plain name`);
}

export function isPlainName(name: string): boolean {
  return /^[a-z0-9][a-z0-9.-]*$/.test(name);
}
