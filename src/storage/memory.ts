import { StorageError } from '../errors.ts';
import { checkFileName, type Place } from './place.ts';

/** Small enough for many small files, large enough that a page costs nothing beside its bytes. */
const PAGE_BYTES = 64 * 1024;

interface MemoryFile {
  size: number;
  /** All but the last are full. */
  readonly pages: Uint8Array[];
}

/** The bytes behind a MemoryPlace: hand them to a second one to find again what the first one kept. */
export type MemoryFiles = Map<string, MemoryFile>;

/** A place in memory: everything is answered at once, and nothing outlives the process. */
export class MemoryPlace implements Place {
  readonly #files: MemoryFiles;
  #closed = false;

  constructor(files: MemoryFiles = new Map()) {
    this.#files = files;
  }

  list(): { name: string; size: number }[] {
    this.#checkOpen();
    return [...this.#files].map(([name, { size }]) => ({ name, size }));
  }

  read(name: string, offset: number, length: number): Uint8Array {
    const { pages, size } = this.#existing(name);
    const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    for (let filled = 0; filled < bytes.length;) {
      const from = (offset + filled) % PAGE_BYTES;
      const part = Math.min(bytes.length - filled, PAGE_BYTES - from);
      const page = pages[Math.floor((offset + filled) / PAGE_BYTES)]!;
      bytes.set(page.subarray(from, from + part), filled);
      filled += part;
    }
    return bytes;
  }

  append(name: string, bytes: Uint8Array): void {
    this.#checkOpen();
    checkFileName(name);
    let file = this.#files.get(name);
    if (file === undefined) {
      file = { size: 0, pages: [] };
      this.#files.set(name, file);
    }
    write(file, bytes);
  }

  truncate(name: string, size: number): void {
    const file = this.#existing(name);
    file.size = Math.min(file.size, size);
    file.pages.length = Math.ceil(file.size / PAGE_BYTES);
  }

  sync(name: string): void {
    this.#existing(name);
  }

  replace(name: string, bytes: Uint8Array): void {
    this.#checkOpen();
    checkFileName(name);
    const file: MemoryFile = { size: 0, pages: [] };
    write(file, bytes);
    this.#files.set(name, file);
  }

  remove(name: string): void {
    this.#checkOpen();
    checkFileName(name);
    this.#files.delete(name);
  }

  close(): void {
    this.#closed = true;
  }

  destroy(): void {
    this.#checkOpen();
    this.#closed = true;
    this.#files.clear();
  }

  #existing(name: string): MemoryFile {
    this.#checkOpen();
    checkFileName(name);
    const file = this.#files.get(name);
    if (file === undefined) throw new StorageError('io', `there is no file ${name} in memory`);
    return file;
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageError('io', 'the place in memory is closed');
  }
}

function write(file: MemoryFile, bytes: Uint8Array): void {
  for (let taken = 0; taken < bytes.length;) {
    const at = file.size % PAGE_BYTES;
    if (at === 0) file.pages.push(new Uint8Array(PAGE_BYTES));
    const part = Math.min(bytes.length - taken, PAGE_BYTES - at);
    file.pages.at(-1)!.set(bytes.subarray(taken, taken + part), at);
    file.size += part;
    taken += part;
  }
}
