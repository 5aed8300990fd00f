import type { MaybePromise } from '../blocks.ts';
import { LedgerError, StorageError } from '../errors.ts';
import { Turns } from '../turns.ts';
import { isFull, storageError } from './file-errors.ts';
import { openHandle, type SyncAccessHandle } from './access-handle.ts';
import { REPLACED_MARK, ReplacedNames } from './replaced-names.ts';
import { checkFileName, type Place } from './place.ts';

/*
 * Each file is one of the origin private file system, held open while the place is: a dedicated worker
 * reads and writes it at once. What was written survives the end of the tab.
 *
 * There is no rename that all browsers have, so a replaced file gets a new name each time, and a table
 * of these names (replaced-names.ts), which is written in one step, says which one counts. The table's
 * file is the lock too: a file that is open for such access is open once.
 */

const TABLE_FILE = '~names';

interface OpenFile {
  readonly handle: SyncAccessHandle;
  /** The name in the directory. */
  readonly stored: string;
  size: number;
}

/**
 * A place in the origin private file system, `emberlink/<name>`, for dedicated workers: it answers at
 * once, except where a file is new, replaced or removed.
 */
export class OpfsPlace implements Place {
  readonly #name: string;
  readonly #parent: FileSystemDirectoryHandle;
  readonly #directory: FileSystemDirectoryHandle;
  readonly #table: SyncAccessHandle;
  readonly #replaced: ReplacedNames;
  readonly #files: Map<string, OpenFile>;
  /** What cannot answer at once runs one after the other. */
  readonly #turns = new Turns();
  #closing: Promise<void> | undefined;

  private constructor(parts: Opened) {
    this.#name = parts.name;
    this.#parent = parts.parent;
    this.#directory = parts.directory;
    this.#table = parts.table;
    this.#replaced = parts.replaced;
    this.#files = parts.files;
  }

  /**
   * Creates the directory where it is missing and takes its lock.
   * @throws LedgerError `no-storage` outside of a dedicated worker and where there is no such file
   *   system; `locked` while another place holds the directory
   * @throws StorageError `unsupported-version`, `full`, `io`
   */
  static async open(name: string): Promise<OpfsPlace> {
    const parent = await openParent();
    const opened: SyncAccessHandle[] = [];
    try {
      const directory = await parent.getDirectoryHandle(name, { create: true });
      const table = await openHandle(directory, TABLE_FILE);
      opened.push(table);
      const replaced = ReplacedNames.read(table, name);
      const found: string[] = [];
      for await (const stored of directory.keys()) if (stored !== TABLE_FILE) found.push(stored);
      const files = new Map<string, OpenFile>();
      for (const stored of found) {
        const file = replaced.nameOf(stored, found);
        if (file === undefined) {
          await directory.removeEntry(stored);
          continue;
        }
        const handle = await openHandle(directory, stored);
        opened.push(handle);
        files.set(file, { handle, stored, size: handle.getSize() });
      }
      return new OpfsPlace({ name, parent, directory, table, replaced, files });
    } catch (error) {
      for (const handle of opened) handle.close();
      if (error instanceof LedgerError) throw error;
      throw storageError(error, `cannot open ${name}`);
    }
  }

  list(): { name: string; size: number }[] {
    this.#checkOpen();
    return [...this.#files].map(([name, { size }]) => ({ name, size }));
  }

  read(name: string, offset: number, length: number): Uint8Array {
    const { handle, size } = this.#existing(name);
    const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    return this.#do(`cannot read ${name}`, () => {
      const count = bytes.length === 0 ? 0 : handle.read(bytes, { at: offset });
      return count < bytes.length ? bytes.slice(0, count) : bytes;
    });
  }

  append(name: string, bytes: Uint8Array): MaybePromise<void> {
    this.#checkOpen();
    checkFileName(name);
    const file = this.#files.get(name);
    if (file !== undefined) return this.#append(name, file, bytes);
    return this.#inTurn(`cannot create ${name}`, async () => {
      const created = { handle: await openHandle(this.#directory, name), stored: name, size: 0 };
      this.#files.set(name, created);
      this.#append(name, created, bytes);
    });
  }

  truncate(name: string, size: number): void {
    const file = this.#existing(name);
    this.#do(`cannot truncate ${name}`, () => {
      if (size < file.handle.getSize()) file.handle.truncate(size);
      file.size = file.handle.getSize();
    });
  }

  sync(name: string): void {
    const { handle } = this.#existing(name);
    this.#do(`cannot sync ${name}`, () => handle.flush());
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    checkFileName(name);
    return this.#inTurn(`cannot replace ${name}`, async () => {
      const stored = `${name}${REPLACED_MARK}${this.#replaced.next}`;
      const handle = await openHandle(this.#directory, stored);
      try {
        writeAll(handle, bytes, 0);
        handle.flush();
        this.#replaced.set(this.#table, name);
      } catch (error) {
        handle.close();
        await this.#directory.removeEntry(stored);
        throw error;
      }
      const old = this.#files.get(name);
      this.#files.set(name, { handle, stored, size: bytes.length });
      if (old !== undefined) await this.#drop(old);
    });
  }

  remove(name: string): Promise<void> {
    this.#checkOpen();
    checkFileName(name);
    return this.#inTurn(`cannot remove ${name}`, async () => {
      const file = this.#files.get(name);
      if (file === undefined) return;
      this.#files.delete(name);
      await this.#drop(file);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#turns.run(() => {
      for (const { handle } of this.#files.values()) handle.close();
      this.#table.close();
    });
    return this.#closing;
  }

  async destroy(): Promise<void> {
    this.#checkOpen();
    // The last segment goes first, so that a crash halfway leaves the beginning of a log.
    const names = [...this.#files.keys()].sort().reverse();
    await Promise.all(names.map((name) => this.remove(name)));
    await this.close();
    try {
      await this.#parent.removeEntry(this.#name, { recursive: true });
    } catch (error) {
      throw storageError(error, `cannot remove ${this.#name}`);
    }
  }

  // --- helpers ---

  #append(name: string, file: OpenFile, bytes: Uint8Array): void {
    this.#do(`cannot append to ${name}`, () => {
      try {
        writeAll(file.handle, bytes, file.size);
      } finally {
        file.size = file.handle.getSize();
      }
    });
  }

  async #drop({ handle, stored }: OpenFile): Promise<void> {
    handle.close();
    await this.#directory.removeEntry(stored);
  }

  #inTurn(what: string, action: () => Promise<void>): Promise<void> {
    return this.#turns.run(async () => {
      try {
        await action();
      } catch (error) {
        throw storageError(error, `${this.#name}: ${what}`);
      }
    });
  }

  #do<T>(what: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw storageError(error, `${this.#name}: ${what}`);
    }
  }

  #existing(name: string): OpenFile {
    this.#checkOpen();
    checkFileName(name);
    const file = this.#files.get(name);
    if (file === undefined) throw new StorageError('io', `${this.#name} has no file ${name}`);
    return file;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new StorageError('io', `${this.#name} is closed`);
  }
}

interface Opened {
  readonly name: string;
  readonly parent: FileSystemDirectoryHandle;
  readonly directory: FileSystemDirectoryHandle;
  readonly table: SyncAccessHandle;
  readonly replaced: ReplacedNames;
  readonly files: Map<string, OpenFile>;
}

async function openParent(): Promise<FileSystemDirectoryHandle> {
  const handles = globalThis.FileSystemFileHandle as { prototype: object } | undefined;
  if (handles === undefined || !('createSyncAccessHandle' in handles.prototype)) {
    throw new LedgerError(
      'no-storage',
      `there is no access to the origin private file system here, which dedicated workers of secure pages have: open with storage: 'indexeddb'`,
    );
  }
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle('emberlink', { create: true });
  } catch (cause) {
    if (isFull(cause)) throw storageError(cause, 'cannot open the origin private file system');
    throw new LedgerError(
      'no-storage',
      `the browser does not let this page keep files (${String(cause)}): it may be a private window, or site data may be blocked`,
      { cause },
    );
  }
}

/**
 * Where there is no room a file takes a part, or throws; in private windows Chromium says that it took
 * four billion bytes.
 */
function writeAll(handle: SyncAccessHandle, bytes: Uint8Array, at: number): void {
  for (let taken = 0; taken < bytes.length;) {
    const count = handle.write(bytes.subarray(taken), { at: at + taken });
    if (count === 0 || count > bytes.length - taken)
      throw new StorageError('full', 'the file takes no more bytes');
    taken += count;
  }
}
