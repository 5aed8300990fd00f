import type { CID } from 'multiformats/cid';
import type { MaybePromise } from '../blocks.ts';
import type { CommitStore } from './commit-store.ts';
import type { Document } from './document.ts';
import type { Documents } from './documents.ts';
import type { Conflict, HistoryEntry } from './history.ts';
import { checkQuery, Indexes } from './indexes.ts';
import { loadLater } from './load-later.ts';
import { reread } from './reread.ts';
import { checkOptions, type MapFunction, type QueryOptions, type QueryRow } from './query.ts';

export interface AllDocsOptions {
  /** Ids that begin so. */
  readonly prefix?: string;
  /** These ids, in this order; those without a document are left out. */
  readonly keys?: readonly string[];
  /** Ids from the first to the last, both included. */
  readonly range?: readonly [string, string];
  readonly descending?: boolean;
  readonly limit?: number;
}

export interface DocumentRow {
  readonly id: string;
  readonly doc: Document;
}

/** The documents at one clock, read-only: `ledger.at(clock)`. */
export interface LedgerView {
  readonly clock: readonly CID[];
  /** The document, or undefined when there is none. */
  get(id: string): Promise<Document | undefined>;
  /**
   * Documents by id, in order of UTF-16 code units.
   * @throws LedgerError `invalid-option`
   */
  allDocs(options?: AllDocsOptions): Promise<{ rows: DocumentRow[]; clock: readonly CID[] }>;
  /**
   * Rows of an index over a field or by a map function, sorted by key. The index is made by the first
   * query and kept up to date from then on; a map function is known by its identity, so define it once.
   * @throws LedgerError `invalid-option`, and whatever the map function throws
   */
  query(
    by: string | MapFunction,
    options?: QueryOptions,
  ): Promise<{ rows: QueryRow[]; clock: readonly CID[] }>;
  /** Every writing of a document, oldest first. */
  history(id: string): Promise<HistoryEntry[]>;
  /** Concurrent versions that nobody has settled yet; empty when there are none. */
  conflicts(id: string): Promise<Conflict[]>;
}

/** The view of a ledger that is here. The ledger itself reads through one. */
export class LocalView implements LedgerView {
  readonly #store: CommitStore;
  readonly #load: () => MaybePromise<Documents>;
  readonly #clock: readonly CID[] | undefined;
  #indexes = new Indexes();
  /** What the indexes are over. */
  #indexed: Documents | undefined;

  /** @param clock undefined for the view that moves with the ledger */
  constructor(
    store: CommitStore,
    load: () => MaybePromise<Documents>,
    clock: readonly CID[] | undefined,
  ) {
    this.#store = store;
    this.#load = load;
    this.#clock = clock;
  }

  get clock(): readonly CID[] {
    return this.#clock ?? this.#store.clock;
  }

  async get(id: string): Promise<Document | undefined> {
    return this.#read((documents) => documents.get(id));
  }

  async allDocs(
    options: AllDocsOptions = {},
  ): Promise<{ rows: DocumentRow[]; clock: readonly CID[] }> {
    checkOptions(options);
    return this.#read((documents) => this.#rowsOf(documents, options));
  }

  async #rowsOf(
    documents: Documents,
    options: AllDocsOptions,
  ): Promise<{ rows: DocumentRow[]; clock: readonly CID[] }> {
    const clock = this.clock;
    const { keys, prefix, range, descending = false, limit = Infinity } = options;
    const [first, last] = range ?? [prefix ?? '', undefined];
    const inOrder =
      keys ??
      documents.ids(
        (id) => id < first,
        (id) =>
          prefix === undefined
            ? last !== undefined && id > last
            : id > prefix && !id.startsWith(prefix),
        descending,
      );
    const ids: string[] = [];
    for (const id of inOrder) {
      if (keys === undefined && ids.length >= limit) break;
      ids.push(id);
    }
    const rows: DocumentRow[] = [];
    for (const doc of await documents.getAll(ids)) {
      if (doc !== undefined && rows.length < limit) rows.push({ id: doc._id, doc });
    }
    return { rows, clock };
  }

  async query(
    by: string | MapFunction,
    options: QueryOptions = {},
  ): Promise<{ rows: QueryRow[]; clock: readonly CID[] }> {
    checkQuery(by);
    return this.#read(async (documents) => {
      const clock = this.clock;
      if (documents !== this.#indexed) this.#indexes = new Indexes();
      this.#indexed = documents;
      return { rows: await this.#indexes.query(documents, by, options), clock };
    });
  }

  async history(id: string): Promise<HistoryEntry[]> {
    const { historyOf } = await loadLater();
    return this.#read((documents) => historyOf(id, documents));
  }

  async conflicts(id: string): Promise<Conflict[]> {
    const { conflictsOf } = await loadLater();
    return this.#read((documents) => conflictsOf(id, documents));
  }

  /** The ids of all documents that were ever written. */
  async allIds(): Promise<string[]> {
    return (await this.#load()).allIds();
  }

  /** Documents by their ids, undefined for those that are not there. */
  async getAll(ids: readonly string[]): Promise<(Document | undefined)[]> {
    return this.#read((documents) => documents.getAll(ids));
  }

  /** Tells the indexes that documents changed. */
  invalidate(ids: Iterable<string>): void {
    this.#indexes.invalidate(ids);
  }

  #read<T>(read: (documents: Documents) => MaybePromise<T>): Promise<T> {
    return reread(this.#load, read);
  }
}
