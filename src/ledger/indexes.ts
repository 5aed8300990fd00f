import { LedgerError } from '../errors.ts';
import { remember } from '../remember.ts';
import {
  fieldMap,
  type IndexedDocuments,
  type MapFunction,
  QueryIndex,
  type QueryOptions,
  type QueryRow,
} from './query.ts';

/** Indexes are kept for the map functions and fields last used. */
const MAX_INDEXES = 32;

/** The indexes over one set of documents, each made by its first query. */
export class Indexes {
  readonly #indexes = new Map<string | MapFunction, QueryIndex>();

  /** @throws LedgerError `invalid-option`, and whatever the map function throws */
  async query(
    documents: IndexedDocuments,
    by: string | MapFunction,
    options: QueryOptions,
  ): Promise<QueryRow[]> {
    const rows = await this.#indexBy(by, documents).query(options);
    if (!(options.includeDocs ?? typeof by === 'string')) return rows;
    const docs = await documents.getAll(rows.map((row) => row.id));
    return rows.flatMap((row, i) => {
      const doc = docs[i];
      return doc === undefined ? [] : [{ ...row, doc }];
    });
  }

  /** Tells that documents may have new rows. */
  invalidate(ids: Iterable<string>): void {
    if (this.#indexes.size === 0) return;
    for (const id of ids) for (const index of this.#indexes.values()) index.invalidate(id);
  }

  #indexBy(by: string | MapFunction, documents: IndexedDocuments): QueryIndex {
    const index =
      this.#indexes.get(by) ??
      new QueryIndex(documents, typeof by === 'string' ? fieldMap(by) : by);
    remember(this.#indexes, by, index, MAX_INDEXES);
    return index;
  }
}

/** @throws LedgerError `invalid-option` */
export function checkQuery(by: unknown): void {
  if (typeof by === 'string' || typeof by === 'function') return;
  throw new LedgerError('invalid-option', 'a query is by the name of a field or by a function');
}
