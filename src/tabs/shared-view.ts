import type { Document } from '../ledger/document.ts';
import type { Conflict, HistoryEntry } from '../ledger/history.ts';
import { checkQuery, Indexes } from '../ledger/indexes.ts';
import type { Clock } from '../ledger/ledger.ts';
import {
  checkOptions,
  type MapFunction,
  type QueryOptions,
  type QueryRow,
} from '../ledger/query.ts';
import type { AllDocsOptions, DocumentRow, LedgerView } from '../ledger/view.ts';
import type { At } from './calls.ts';
import type { LedgerTab } from './ledger-tab.ts';

/** How many documents are asked for at a time. */
const BATCH = 1000;

/**
 * The documents at a clock, or as they are now, of a ledger that another tab may have open. A map
 * function cannot go there: its index is made and kept up to date here.
 */
export class SharedView implements LedgerView {
  readonly #tab: LedgerTab;
  readonly #at: At;
  #indexes = new Indexes();

  constructor(tab: LedgerTab, at: At) {
    this.#tab = tab;
    this.#at = at;
  }

  get clock(): Clock {
    return this.#at ?? this.#tab.clock;
  }

  async get(id: string): Promise<Document | undefined> {
    return this.#tab.call('get', this.#at, id);
  }

  async allDocs(options?: AllDocsOptions): Promise<{ rows: DocumentRow[]; clock: Clock }> {
    return this.#tab.call('allDocs', this.#at, options);
  }

  async query(
    by: string | MapFunction,
    options: QueryOptions = {},
  ): Promise<{ rows: QueryRow[]; clock: Clock }> {
    this.#tab.checkOpen();
    checkQuery(by);
    if (typeof by === 'string') return this.#tab.call('query', this.#at, by, options);
    const { ledger } = this.#tab;
    if (ledger !== undefined && this.#at === undefined) return ledger.query(by, options);
    checkOptions(options);
    const { clock } = this;
    return { rows: await this.#indexes.query(this, by, options), clock };
  }

  async history(id: string): Promise<HistoryEntry[]> {
    return this.#tab.call('history', this.#at, id);
  }

  async conflicts(id: string): Promise<Conflict[]> {
    return this.#tab.call('conflicts', this.#at, id);
  }

  async allIds(): Promise<string[]> {
    return this.#tab.call('allIds', this.#at);
  }

  async getAll(ids: readonly string[]): Promise<(Document | undefined)[]> {
    const documents: (Document | undefined)[] = [];
    for (let at = 0; at < ids.length; at += BATCH) {
      const batch = await this.#tab.call('getAll', this.#at, ids.slice(at, at + BATCH));
      for (const document of batch) documents.push(document);
    }
    return documents;
  }

  /** Tells the indexes that documents changed. */
  invalidate(ids: Iterable<string>): void {
    this.#indexes.invalidate(ids);
  }
}
