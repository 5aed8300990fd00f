import * as fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { StorageError } from '../errors.ts';
import { errorCode, storageError } from './file-errors.ts';
import { isLockName, lockFolder } from './lock.ts';
import { checkFileName, isPlainName, type Place } from './place.ts';

/** Files kept open for the next append or read; the one unused for the longest gives way. */
const MAX_OPEN_FILES = 32;

/** What a name gets while `replace` writes: no plain name, so it is never listed. */
const DRAFT_MARK = '~';

interface OpenFile {
  readonly fd: number;
  /** Syncs under way, which need the descriptor to stay what it is. */
  users: number;
  forgotten: boolean;
}

const fsync = promisify(fs.fsync);

/**
 * A place in a folder of the file system (Node), held by one process at a time.
 *
 * Reads and appends answer at once: the system's page cache takes them at memory speed, and a
 * thread pool would cost more than they do. What waits for the disk, `sync` and `replace`, is
 * asynchronous.
 */
export class FilesPlace implements Place {
  readonly folder: string;
  readonly #unlock: () => void;
  /** By name, in the order of their last use. */
  readonly #openFiles = new Map<string, OpenFile>();
  readonly #running = new Set<Promise<void>>();
  /** Counts changes to the folder's names; the folder is synced up to `#namesSynced` of them. */
  #namesChanged = 1;
  #namesSynced = 0;
  #drafts = 0;
  #closing: Promise<void> | undefined;

  private constructor(folder: string, unlock: () => void) {
    this.folder = folder;
    this.#unlock = unlock;
  }

  /**
   * Creates the folder where it is missing and takes its lock.
   * @throws LedgerError `locked` while another place, here or in another process, holds the folder
   * @throws StorageError
   */
  static async open(folder: string): Promise<FilesPlace> {
    const path = resolve(folder);
    createFolder(path);
    const unlock = lockFolder(path);
    try {
      removeDrafts(path);
    } catch (error) {
      unlock();
      throw storageError(error, `cannot open ${path}`);
    }
    return new FilesPlace(path, unlock);
  }

  list(): { name: string; size: number }[] {
    this.#checkOpen();
    try {
      return fs
        .readdirSync(this.folder, { withFileTypes: true })
        .filter((entry) => entry.isFile() && isPlainName(entry.name) && !isLockName(entry.name))
        .map(({ name }) => ({ name, size: fs.statSync(join(this.folder, name)).size }));
    } catch (error) {
      throw storageError(error, `cannot list ${this.folder}`);
    }
  }

  read(name: string, offset: number, length: number): Uint8Array {
    return this.#do('read', name, (path) => {
      const { fd } = this.#open(name, path, 'existing');
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const count = fs.readSync(fd, bytes, filled, length - filled, offset + filled);
        if (count === 0) return bytes.slice(0, filled);
        filled += count;
      }
      return bytes;
    });
  }

  append(name: string, bytes: Uint8Array): void {
    this.#do('append to', name, (path) => {
      const { fd } = this.#open(name, path, 'create');
      // At the edge of a full disk the system takes a part and refuses the rest.
      for (let taken = 0; taken < bytes.length;) taken += fs.writeSync(fd, bytes, taken);
    });
  }

  truncate(name: string, size: number): void {
    this.#do('truncate', name, (path) => {
      const { fd } = this.#open(name, path, 'existing');
      if (size < fs.fstatSync(fd).size) fs.ftruncateSync(fd, size);
    });
  }

  sync(name: string): Promise<void> {
    const file = this.#do('sync', name, (path) => this.#open(name, path, 'existing'));
    return this.#track(this.#sync(file, name));
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#do('replace', name, (whole) => whole);
    return this.#track(this.#replace(name, path, bytes));
  }

  remove(name: string): void {
    this.#do('remove', name, (path) => {
      this.#forget(name);
      fs.rmSync(path, { force: true });
      this.#namesChanged++;
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Removes the files that `list` shows, and the folder when nothing else is in it. */
  async destroy(): Promise<void> {
    this.#checkOpen();
    // The last segment goes first, so that a kill halfway leaves the beginning of a log.
    const names = this.list()
      .map(({ name }) => name)
      .sort()
      .reverse();
    this.#closing = this.#close(() => {
      for (const name of names) fs.rmSync(join(this.folder, name), { force: true });
      removeDrafts(this.folder);
    });
    await this.#closing;
    try {
      fs.rmdirSync(this.folder);
    } catch (error) {
      // Files that are not ours, or of somebody who has opened the place anew.
      const code = errorCode(error);
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT') return;
      throw storageError(error, `cannot remove ${this.folder}`);
    }
  }

  // --- helpers ---

  async #close(last: () => void = () => undefined): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    try {
      for (const name of this.#openFiles.keys()) this.#forget(name);
      last();
    } catch (error) {
      throw storageError(error, `cannot close ${this.folder}`);
    } finally {
      this.#unlock();
    }
  }

  async #sync(file: OpenFile, name: string): Promise<void> {
    file.users++;
    try {
      await fsync(file.fd);
      await this.#syncNames();
    } catch (error) {
      throw storageError(error, `cannot sync ${name} in ${this.folder}`);
    } finally {
      file.users--;
      if (file.forgotten && file.users === 0) fs.closeSync(file.fd);
    }
  }

  async #syncNames(): Promise<void> {
    const changes = this.#namesChanged;
    if (changes === this.#namesSynced) return;
    await syncFolder(this.folder);
    this.#namesSynced = changes;
  }

  async #replace(name: string, path: string, bytes: Uint8Array): Promise<void> {
    this.#drafts++;
    const draft = `${path}${DRAFT_MARK}${this.#drafts}`;
    try {
      const handle = await fs.promises.open(draft, 'w');
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      this.#forget(name);
      fs.renameSync(draft, path);
      this.#namesChanged++;
      await this.#syncNames();
    } catch (error) {
      fs.rmSync(draft, { force: true });
      throw storageError(error, `cannot replace ${name} in ${this.folder}`);
    }
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#running.add(work);
    try {
      await work;
    } finally {
      this.#running.delete(work);
    }
  }

  #do<T>(verb: string, name: string, action: (path: string) => T): T {
    this.#checkOpen();
    checkFileName(name);
    if (isLockName(name)) throw new StorageError('io', `the name ${name} belongs to the lock`);
    try {
      return action(join(this.folder, name));
    } catch (error) {
      throw storageError(error, `cannot ${verb} ${name} in ${this.folder}`);
    }
  }

  #open(name: string, path: string, missing: 'create' | 'existing'): OpenFile {
    let file = this.#openFiles.get(name);
    if (file !== undefined) {
      this.#openFiles.delete(name);
    } else {
      file = { fd: this.#openPath(path, missing), users: 0, forgotten: false };
      for (const oldest of this.#openFiles.keys()) {
        if (this.#openFiles.size < MAX_OPEN_FILES) break;
        this.#forget(oldest);
      }
    }
    this.#openFiles.set(name, file);
    return file;
  }

  #openPath(path: string, missing: 'create' | 'existing'): number {
    const { O_RDWR, O_APPEND, O_CREAT } = fs.constants;
    try {
      return fs.openSync(path, O_RDWR | O_APPEND);
    } catch (error) {
      if (missing === 'existing' || errorCode(error) !== 'ENOENT') throw error;
    }
    const fd = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT);
    this.#namesChanged++;
    return fd;
  }

  #forget(name: string): void {
    const file = this.#openFiles.get(name);
    if (file === undefined) return;
    this.#openFiles.delete(name);
    file.forgotten = true;
    if (file.users === 0) fs.closeSync(file.fd);
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new StorageError('io', `${this.folder} is closed`);
  }
}

function createFolder(path: string): void {
  try {
    const first = fs.mkdirSync(path, { recursive: true });
    if (first === undefined) return;
    // Each new folder is an entry of the one above it, up to the one that was there.
    for (let above = dirname(path); above.length >= dirname(first).length; above = dirname(above)) {
      syncFolderNow(above);
      if (above === dirname(above)) break;
    }
  } catch (error) {
    throw storageError(error, `cannot create ${path}`);
  }
}

function removeDrafts(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    const [whole, count] = name.split(DRAFT_MARK);
    if (isPlainName(whole!) && /^\d+$/.test(count ?? '')) fs.rmSync(join(folder, name));
  }
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows cannot open folders, and keeps names by itself.
  const handle = await fs.promises.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function syncFolderNow(folder: string): void {
  if (process.platform === 'win32') return;
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
