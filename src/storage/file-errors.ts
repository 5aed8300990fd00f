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
  const code = errorCode(cause) ?? (cause instanceof DOMException ? cause.name : undefined);
  return new StorageError(
    FULL_CODES.includes(code) ? 'full' : 'io',
    `${what}: ${code ?? String(cause)}`,
    {
      cause,
    },
  );
}

/** `ENOENT` and its like; undefined for what the system did not throw. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
