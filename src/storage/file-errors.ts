import { StorageError } from '../errors.ts';

/** What the system says when there is no room: the disk, the user's quota, the largest file. */
const FULL_CODES: readonly (string | undefined)[] = [
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'QuotaExceededError',
];

/** The system's error as a StorageError: `full` when there is no room, else `io`. */
export function storageError(cause: unknown, what: string): StorageError {
  if (cause instanceof StorageError) return cause;
  return new StorageError(
    isFull(cause) ? 'full' : 'io',
    `${what}: ${errorCode(cause) ?? String(cause)}`,
    { cause },
  );
}

export function isFull(error: unknown): boolean {
  return FULL_CODES.includes(errorCode(error));
}

/** `ENOENT` and its like, in browsers the name; undefined for what the system did not throw. */
export function errorCode(error: unknown): string | undefined {
  if (error instanceof DOMException) return error.name;
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
