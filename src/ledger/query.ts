import type { MaybePromise } from '../blocks.ts';
import { LedgerError } from '../errors.ts';
import { compareKeys, hasPrefix } from './collate.ts';
import type { Document, DocumentValue } from './document.ts';
import { SortedList } from './sorted-list.ts';

/**
 * Called with each document; emits index rows. A key that is returned is emitted too, so that short
 * functions need no `emit`; nothing is emitted for undefined, or by returning null.
 */
export type MapFunction = (
  document: Document,
  emit: (key: DocumentValue, value?: DocumentValue) => void,
) => DocumentValue | undefined | void;

export interface QueryOptions {
  /** Rows with exactly this key. */
  readonly key?: DocumentValue;
  /** Rows with one of these keys, in the order of the list. */
  readonly keys?: readonly DocumentValue[];
  /** Rows whose key begins so: a text prefix, or the first items of a list key. */
  readonly prefix?: DocumentValue;
  /** Rows from the first key to the last, both included. */
  readonly range?: readonly [DocumentValue, DocumentValue];
  readonly descending?: boolean;
  /** At most this many rows. */
  readonly limit?: number;
  /** Whether rows carry their documents. Default: true for a field, false for a map function. */
  readonly includeDocs?: boolean;
}

export interface QueryRow {
  readonly id: string;
  readonly key: DocumentValue;
  /** What the map function emitted beside the key; null where it emitted nothing. */
  readonly value: DocumentValue;
  readonly doc?: Document;
}

/** What an index is made of. */
export interface IndexedDocuments {
  allIds(): MaybePromise<readonly string[]>;
  getAll(ids: readonly string[]): Promise<(Document | undefined)[]>;
}

interface Entry {
  readonly key: DocumentValue;
  readonly id: string;
  /** The how-manieth row of its document. */
  readonly nth: number;
  readonly value: DocumentValue;
}

/**
 * Index rows of all documents, sorted by key. Built once; later only the documents that changed are
 * mapped again, when the next query comes.
 */
export class QueryIndex {
  readonly #map: MapFunction;
  readonly #documents: IndexedDocuments;
  readonly #entriesById = new Map<string, readonly Entry[]>();
  #entries: SortedList<Entry> | undefined;
  #changed = new Set<string>();
  /** Queries wait for each other's updates, so that none reads an index in the making. */
  #updating: Promise<void> = Promise.resolve();

  constructor(documents: IndexedDocuments, map: MapFunction) {
    this.#documents = documents;
    this.#map = map;
  }

  /** Tells that a document may have new rows. */
  invalidate(id: string): void {
    if (this.#entries !== undefined) this.#changed.add(id);
  }

  async query(options: QueryOptions): Promise<QueryRow[]> {
    checkOptions(options);
    const update = this.#updating.then(() => this.#update());
    // A map function that throws fails its query only; the next one starts from nothing.
    this.#updating = update.catch(() => {
      this.#entries = undefined;
      this.#entriesById.clear();
    });
    await update;
    const rows: QueryRow[] = [];
    const limit = options.limit ?? Infinity;
    for (const [below, above] of boundsOf(options)) {
      const range = this.#entries!.range(
        (entry) => below(entry.key),
        (entry) => above(entry.key),
        options.descending,
      );
      for (const { id, key, value } of range) {
        if (rows.length >= limit) return rows;
        rows.push({ id, key, value });
      }
    }
    return rows;
  }

  async #update(): Promise<void> {
    if (this.#entries === undefined) {
      // Changes that come while the documents are read are mapped again by the next query.
      this.#entries = new SortedList(compareEntries);
      const ids = await this.#documents.allIds();
      const all: Entry[] = [];
      await this.#mapAll(ids, (entries) => {
        for (const entry of entries) all.push(entry);
      });
      this.#entries = new SortedList(compareEntries, all);
    }
    while (this.#changed.size > 0) {
      const ids = [...this.#changed];
      this.#changed = new Set();
      for (const id of ids) {
        for (const entry of this.#entriesById.get(id) ?? []) this.#entries.remove(entry);
        this.#entriesById.delete(id);
      }
      await this.#mapAll(ids, (entries) => {
        for (const entry of entries) this.#entries!.add(entry);
      });
    }
  }

  async #mapAll(ids: readonly string[], take: (entries: readonly Entry[]) => void): Promise<void> {
    for (let i = 0; i < ids.length; i += BATCH) {
      for (const document of await this.#documents.getAll(ids.slice(i, i + BATCH))) {
        if (document === undefined) continue;
        const entries = this.#entriesOf(document);
        if (entries.length === 0) continue;
        this.#entriesById.set(document._id, entries);
        take(entries);
      }
    }
  }

  #entriesOf(document: Document): Entry[] {
    const entries: Entry[] = [];
    const emit = (key: DocumentValue | undefined, value: DocumentValue = null): void => {
      if (key === undefined) return;
      entries.push({ key, id: document._id, nth: entries.length, value });
    };
    emit(this.#map(document, emit) ?? undefined);
    return entries;
  }
}

/** How many documents are read at a time while an index is built. */
const BATCH = 10_000;

function compareEntries(a: Entry, b: Entry): number {
  const byKey = compareKeys(a.key, b.key);
  if (byKey !== 0) return byKey;
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return a.nth - b.nth;
}

type Bound = (key: DocumentValue) => boolean;

/** Pairs of [below the range, above the range]. */
function boundsOf({ key, keys, prefix, range }: QueryOptions): [Bound, Bound][] {
  const exactly = (wanted: DocumentValue): [Bound, Bound] => between(wanted, wanted);
  if (keys !== undefined) return keys.map(exactly);
  if (key !== undefined) return [exactly(key)];
  if (range !== undefined) return [between(range[0], range[1])];
  if (prefix === undefined) return [[() => false, () => false]];
  return [
    [
      (other) => compareKeys(other, prefix) < 0 && !hasPrefix(other, prefix),
      (other) => compareKeys(other, prefix) > 0 && !hasPrefix(other, prefix),
    ],
  ];
}

function between(first: DocumentValue, last: DocumentValue): [Bound, Bound] {
  return [(key) => compareKeys(key, first) < 0, (key) => compareKeys(key, last) > 0];
}

/** @throws LedgerError `invalid-option` */
export function checkOptions(options: QueryOptions): void {
  checkLimit(options.limit);
  const given = (['key', 'keys', 'prefix', 'range'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (given.length > 1) {
    throw new LedgerError('invalid-option', `give one of ${given.join(' and ')}, not both`);
  }
  if (options.range !== undefined && options.range.length !== 2) {
    throw new LedgerError('invalid-option', 'a range is [first, last]');
  }
}

/** @throws LedgerError `invalid-option` */
export function checkLimit(limit: number | undefined): void {
  if (limit === undefined || limit >= 0) return;
  throw new LedgerError('invalid-option', `limit says how many, and is not ${limit}`);
}

export function fieldMap(field: string): MapFunction {
  return (document) => document[field];
}
