import type { MaybePromise } from '../blocks.ts';
import { LedgerError, StorageError } from '../errors.ts';
import { remember } from '../remember.ts';
import { Turns } from '../turns.ts';
import { completed, deleteDatabase, openDatabase, resultOf } from './database.ts';
import { storageError } from './file-errors.ts';
import { checkFileName, type Place } from './place.ts';
import { copyOverlap, type RecordChange, StoredFile } from './stored-file.ts';

/*
 * A file is a sequence of records: the key is [file, offset of the first byte], the value the bytes.
 *
 * 1. Each change is one transaction: a crash leaves all of it or nothing.
 * 2. What is in memory (sizes, where records begin, the bytes of the last few) follows what is stored:
 *    it changes when the transaction is complete.
 * 3. Each change asks for the epoch that its opening has set, in its own transaction. A place that was
 *    opened after this one has raised it: then the transaction is aborted, and this place has lost.
 */

/** The version of the database is that of the format. */
const VERSION = 1;
const STORE = 'records';
/** No file has an empty name. */
const EPOCH: IDBValidKey = ['', 0];

/** Files that are replaced are read whole: few large records serve them best. */
const REPLACED_RECORD_BYTES = 1024 * 1024;

/** How many of the records read last are kept: small blocks that are read in order share one. */
const KEPT_RECORDS = 32;

export interface IndexedDbOptions {
  /** `strict`: what a change has written survives the loss of power. Default `relaxed`. */
  readonly durability?: 'relaxed' | 'strict';
}

/**
 * A place in a database of IndexedDB, `emberlink/<name>`. Of several places of one name the one that was
 * opened last counts: the others fail with StorageError `replaced` at their next change. All fail with
 * `gone` when the database was deleted, by another page or by the user.
 */
export class IndexedDbPlace implements Place {
  readonly #name: string;
  readonly #database: IDBDatabase;
  readonly #durability: 'relaxed' | 'strict';
  #epoch = 0;
  readonly #files = new Map<string, StoredFile>();
  readonly #recent = new Map<string, Promise<Uint8Array | undefined>>();
  #unsynced = false;
  /** Changes run one after the other. */
  readonly #turns = new Turns();
  #readStore: IDBObjectStore | undefined;
  /** Why this place can be used no more. */
  #end: StorageError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(name: string, database: IDBDatabase, durability: 'relaxed' | 'strict') {
    this.#name = name;
    this.#database = database;
    this.#durability = durability;
    database.onversionchange = ({ newVersion }) => {
      // A page that deletes the database, or brings it to a newer version, waits until we let go.
      if (newVersion === null) this.#endWith('gone', 'was deleted');
      else this.#endWith('replaced', 'is in use by a newer version of emberlink');
      database.close();
    };
    database.onclose = () =>
      this.#endWith('gone', 'was closed by the browser, or its data cleared');
  }

  /**
   * Creates the database where it is missing. Whatever was open before of this name is cut off.
   * @throws LedgerError `no-storage`, `locked`
   * @throws StorageError `unsupported-version`, `full`, `io`
   */
  static async open(ledger: string, options: IndexedDbOptions = {}): Promise<IndexedDbPlace> {
    if (typeof indexedDB === 'undefined') {
      throw new LedgerError(
        'no-storage',
        `there is no IndexedDB here: open with storage: 'memory', or a place of your own`,
      );
    }
    const { durability = 'relaxed' } = options;
    const name = `emberlink/${ledger}`;
    const database = await openDatabase(name, VERSION, (made) => made.createObjectStore(STORE));
    const place = new IndexedDbPlace(name, database, durability);
    try {
      await place.#do('cannot open', () => place.#load());
      return place;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  list(): { name: string; size: number }[] {
    this.#checkUsable();
    return [...this.#files].map(([name, { size }]) => ({ name, size }));
  }

  read(name: string, offset: number, length: number): MaybePromise<Uint8Array> {
    const file = this.#existing(name);
    return this.#read(name, file, offset, length);
  }

  append(name: string, bytes: Uint8Array): Promise<void> {
    checkFileName(name);
    return this.#inTurn(`cannot append to ${name}`, async () => {
      const { change, file } = (this.#files.get(name) ?? StoredFile.empty()).appended(bytes);
      await this.#change(name, change);
      this.#files.set(name, file);
    });
  }

  truncate(name: string, size: number): Promise<void> {
    this.#existing(name);
    return this.#inTurn(`cannot truncate ${name}`, async () => {
      const file = this.#files.get(name);
      if (file === undefined || size >= file.size) return;
      const record = file.recordAt(size);
      const start = file.starts[record]!;
      const rest = await this.#read(name, file, start, size - start);
      await this.#change(name, { from: start, put: [[start, rest]] });
      this.#recent.clear();
      this.#files.set(name, StoredFile.load(file.starts.slice(0, record + 1), [rest]));
    });
  }

  sync(name: string): Promise<void> {
    this.#existing(name);
    return this.#inTurn(`cannot sync ${name}`, async () => {
      if (!this.#unsynced) return;
      // Transactions become durable in their order, so an empty one takes the others with it.
      await this.#transact((store) => store.put(this.#epoch, EPOCH), 'strict');
      this.#unsynced = false;
    });
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    checkFileName(name);
    return this.#inTurn(`cannot replace ${name}`, async () => {
      const starts: number[] = [];
      for (let at = 0; at === 0 || at < bytes.length; at += REPLACED_RECORD_BYTES) starts.push(at);
      const values = starts.map((start) => bytes.slice(start, start + REPLACED_RECORD_BYTES));
      await this.#change(name, { from: 0, put: starts.map((start, i) => [start, values[i]!]) });
      this.#recent.clear();
      this.#files.set(name, StoredFile.load(starts, values.slice(-1)));
    });
  }

  remove(name: string): Promise<void> {
    checkFileName(name);
    return this.#inTurn(`cannot remove ${name}`, async () => {
      if (!this.#files.has(name)) return;
      await this.#change(name, { from: 0, put: [] });
      this.#files.delete(name);
      this.#recent.clear();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#turns.run(() => this.#database.close());
    return this.#closing;
  }

  async destroy(): Promise<void> {
    // What another page has opened since is not ours to delete.
    await this.#inTurn('cannot be removed', () =>
      this.#transact((store) => store.delete(anyFile())),
    );
    await this.close();
    await deleteDatabase(this.#name);
  }

  // --- opening ---

  async #load(): Promise<void> {
    const options = { durability: this.#durability };
    const transaction = this.#database.transaction(STORE, 'readwrite', options);
    const done = completed(transaction);
    const store = transaction.objectStore(STORE);
    const epoch = store.get(EPOCH) as IDBRequest<number | undefined>;
    epoch.onsuccess = () => {
      this.#epoch = (epoch.result ?? 0) + 1;
      store.put(this.#epoch, EPOCH);
    };
    const [keys] = await Promise.all([resultOf(store.getAllKeys(anyFile())), done]);
    const startsOf = new Map<string, number[]>();
    for (const [name, start] of keys as [string, number][]) {
      const starts = startsOf.get(name);
      if (starts === undefined) startsOf.set(name, [start]);
      else starts.push(start);
    }
    const reading = [...startsOf].map(async ([name, starts]) => {
      const range = recordsFrom(name, StoredFile.loadFrom(starts));
      const values = await resultOf<Uint8Array[]>(this.#reader().getAll(range));
      this.#files.set(name, StoredFile.load(starts, values));
    });
    await Promise.all(reading);
  }

  // --- reading ---

  #read(name: string, file: StoredFile, offset: number, length: number): MaybePromise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, file.size - offset)));
    file.copyRecent(bytes, offset);
    if (bytes.length === 0 || offset >= file.recentStart) return bytes;
    return this.#readRecords(name, file, offset, bytes);
  }

  /** Fills `bytes`, which begin at `offset`, up to where the recent ones of the file begin. */
  async #readRecords(
    name: string,
    file: StoredFile,
    offset: number,
    bytes: Uint8Array,
  ): Promise<Uint8Array> {
    const first = file.recordAt(offset);
    const end = Math.min(offset + bytes.length, file.recentStart);
    const last = file.recordAt(end - 1);
    const starts = file.starts.slice(first, last + 1);
    const values =
      starts.length > 2
        ? await this.#do(`cannot read ${name}`, () => {
            const range = IDBKeyRange.bound([name, starts[0]], [name, starts.at(-1)]);
            return resultOf<Uint8Array[]>(this.#reader().getAll(range));
          })
        : await Promise.all(starts.map((start) => this.#record(name, start)));
    let at = starts[0]!;
    for (const value of values) {
      if (value === undefined) break;
      copyOverlap(value, at, bytes, offset);
      at += value.length;
    }
    // What is not there stays zero, and is no block to the log; unless somebody else has moved it.
    if (at < end) await this.#checkEpoch(name);
    return bytes;
  }

  #record(name: string, start: number): Promise<Uint8Array | undefined> {
    const key = `${name} ${start}`;
    const record =
      this.#recent.get(key) ??
      this.#do(`cannot read ${name}`, () =>
        resultOf<Uint8Array | undefined>(this.#reader().get([name, start])),
      );
    void remember(this.#recent, key, record, KEPT_RECORDS);
    record.catch(() => this.#recent.delete(key));
    return record;
  }

  /** Reads of one tick share a transaction. */
  #reader(): IDBObjectStore {
    if (this.#readStore === undefined) {
      this.#readStore = this.#database.transaction(STORE).objectStore(STORE);
      queueMicrotask(() => {
        this.#readStore = undefined;
      });
    }
    return this.#readStore;
  }

  async #checkEpoch(name: string): Promise<void> {
    const epoch = await this.#do(`cannot read ${name}`, () => resultOf(this.#reader().get(EPOCH)));
    if (epoch !== this.#epoch) this.#endWith('replaced', 'was opened again since');
    this.#checkUsable();
  }

  // --- changing ---

  async #change(name: string, { from, put }: RecordChange): Promise<void> {
    await this.#transact((store) => {
      if (from !== undefined) store.delete(recordsFrom(name, from));
      for (const [start, value] of put) store.put(value, [name, start]);
    });
  }

  async #transact(
    change: (store: IDBObjectStore) => void,
    durability: 'relaxed' | 'strict' = this.#durability,
  ): Promise<void> {
    const transaction = this.#database.transaction(STORE, 'readwrite', { durability });
    const done = completed(transaction);
    const store = transaction.objectStore(STORE);
    const epoch = store.get(EPOCH) as IDBRequest<number | undefined>;
    epoch.onsuccess = () => {
      if (epoch.result === this.#epoch) {
        transaction.commit?.();
        return;
      }
      this.#endWith('replaced', 'was opened again since');
      transaction.abort();
    };
    // Asked for together, the answer comes before any of it is final, and no round trip is lost.
    change(store);
    await done;
    this.#unsynced ||= durability === 'relaxed';
  }

  #inTurn(what: string, action: () => Promise<void>): Promise<void> {
    this.#checkUsable();
    return this.#turns.run(() => this.#do(what, action));
  }

  async #do<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      this.#checkEnd();
      return await action();
    } catch (error) {
      throw this.#end ?? storageError(error, `${this.#name}: ${what}`);
    }
  }

  // --- the end ---

  #endWith(code: 'gone' | 'replaced', what: string): void {
    this.#end ??= new StorageError(code, `${this.#name} ${what}`);
  }

  #existing(name: string): StoredFile {
    this.#checkUsable();
    checkFileName(name);
    const file = this.#files.get(name);
    if (file === undefined) throw new StorageError('io', `${this.#name} has no file ${name}`);
    return file;
  }

  #checkUsable(): void {
    if (this.#closing !== undefined) throw new StorageError('io', `${this.#name} is closed`);
    this.#checkEnd();
  }

  #checkEnd(): void {
    if (this.#end !== undefined) throw this.#end;
  }
}

function anyFile(): IDBKeyRange {
  return IDBKeyRange.lowerBound(EPOCH, true);
}

function recordsFrom(name: string, start: number): IDBKeyRange {
  return IDBKeyRange.bound([name, start], [name, Infinity]);
}
