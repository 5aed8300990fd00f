import { LedgerError, StorageError } from '../errors.ts';
import { isFull, storageError } from './file-errors.ts';

/** How long a page that holds an older version of a database may take to let go of it. */
const BLOCKED_MS = 5000;

/**
 * Opens an IndexedDB database, made or brought to `version` by `upgrade`.
 * @throws LedgerError `no-storage` where the page may keep nothing; `locked` when a page that holds an
 *   older version does not let go of it
 * @throws StorageError `unsupported-version` when it is of a newer version, `full`
 */
export function openDatabase(
  name: string,
  version: number,
  upgrade: (database: IDBDatabase, from: number) => void,
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    let request: IDBOpenDBRequest;
    try {
      request = indexedDB.open(name, version);
    } catch (error) {
      reject(openingError(error, name));
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let gaveUp = false;
    request.onupgradeneeded = ({ oldVersion }) => {
      if (gaveUp) request.transaction!.abort();
      else upgrade(request.result, oldVersion);
    };
    request.onblocked = () => {
      timer = setTimeout(() => {
        gaveUp = true;
        const what = `another page holds an older version of ${name}: close it, and open again`;
        reject(new LedgerError('locked', what));
      }, BLOCKED_MS);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(openingError(request.error, name));
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      if (gaveUp) request.result.close();
      else resolve(request.result);
    };
  });
}

/** Done when the database is gone, or will be as soon as other pages have let go of it. */
export function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onblocked = () => resolve();
    request.onerror = () => reject(storageError(request.error, `cannot delete ${name}`));
  });
}

/** The outcome of a request; rejects with the DOMException. */
export function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error as Error);
  });
}

/** Rejects with the DOMException that ended it, or null after `abort()`. */
export function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error as Error);
  });
}

function openingError(cause: unknown, name: string): Error {
  const kind = cause instanceof Error ? cause.name : String(cause);
  if (kind === 'VersionError') {
    const what = `${name} was written by a newer version of emberlink, and is left as it is`;
    return new StorageError('unsupported-version', what, { cause });
  }
  if (isFull(cause)) return storageError(cause, `cannot open ${name}`);
  return new LedgerError(
    'no-storage',
    `the browser does not let this page keep data (${kind}): it may be a private window, or site data may be blocked; open with storage: 'memory' to go on without`,
    { cause },
  );
}
