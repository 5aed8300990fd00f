import { LedgerError } from '../errors.ts';

/** What the types of the DOM lack, since only workers have it: a file that is read and written at once. */
export interface SyncAccessHandle {
  read(target: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  getSize(): number;
  close(): void;
}

/** A page that has just ended may hold its files a moment longer. */
const RETRY_MS = 50;
const MAX_RETRIES = 40;

/**
 * Creates the file where it is missing, and opens it for this place alone.
 * @throws LedgerError `locked` while somebody else has it open; what the browser throws
 */
export async function openHandle(
  directory: FileSystemDirectoryHandle,
  name: string,
): Promise<SyncAccessHandle> {
  const file = (await directory.getFileHandle(name, { create: true })) as FileSystemFileHandle & {
    createSyncAccessHandle(): Promise<SyncAccessHandle>;
  };
  for (let retries = 0; ; retries++) {
    try {
      return await file.createSyncAccessHandle();
    } catch (cause) {
      const isHeld = cause instanceof DOMException && cause.name === 'NoModificationAllowedError';
      if (!isHeld) throw cause;
      if (retries === MAX_RETRIES) {
        const what = `${directory.name} is open in another tab or worker`;
        throw new LedgerError('locked', what, { cause });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
