import {
  type Document,
  type EncodedDocument,
  encodeDocument,
  encodeDocuments,
  encodeSomeFields,
} from '../ledger/document.ts';
import type { CommitEntry, CommitsOptions } from '../ledger/commit-entries.ts';
import type { CompactReport } from '../ledger/compaction.ts';
import type { Conflict, HistoryEntry } from '../ledger/history.ts';
import type {
  Change,
  Clock,
  ImportReport,
  Ledger,
  LedgerUsage,
  PutOptions,
  RecoveryReport,
  VerifyReport,
  WriteResult,
} from '../ledger/ledger.ts';
import { loadLater } from '../ledger/load-later.ts';
import type { MapFunction, QueryOptions, QueryRow } from '../ledger/query.ts';
import type { AllDocsOptions, DocumentRow, LedgerView } from '../ledger/view.ts';
import { Listeners } from '../listeners.ts';
import type { LedgerTab } from './ledger-tab.ts';
import { readStream } from './read-stream.ts';
import { SharedReplica } from './shared-replica.ts';
import { SharedView } from './shared-view.ts';

/** A ledger that several tabs have open, in one of them: the same object whichever that is. */
export class SharedLedger implements Ledger {
  readonly name: string;
  readonly replica: SharedReplica;
  readonly #tab: LedgerTab;
  readonly #maxDocumentBytes: number;
  readonly #listeners = new Listeners<[change: Change]>();
  readonly #now: SharedView;

  constructor(tab: LedgerTab, maxDocumentBytes: number) {
    this.name = tab.name;
    this.#tab = tab;
    this.#maxDocumentBytes = maxDocumentBytes;
    this.#now = new SharedView(tab, undefined);
    this.replica = new SharedReplica(tab);
    tab.subscribe((change) => {
      this.#now.invalidate(change.ids);
      this.#listeners.tell(change);
    });
  }

  get clock(): Clock {
    return this.#tab.clock;
  }

  get writer(): string {
    return (this.#tab.ledger ?? this.#tab.state).writer;
  }

  get recovery(): RecoveryReport {
    return (this.#tab.ledger ?? this.#tab.state).recovery;
  }

  get persisted(): boolean | undefined {
    return (this.#tab.ledger ?? this.#tab.state).persisted;
  }

  async put(document: Document, options: PutOptions = {}): Promise<WriteResult> {
    this.#tab.checkOpen();
    return this.#tab.call('put', encodeDocument(document, this.#maxDocumentBytes), options);
  }

  async patch(document: Document, options: PutOptions = {}): Promise<WriteResult> {
    this.#tab.checkOpen();
    return this.#tab.call('patch', encodeSomeFields(document, this.#maxDocumentBytes), options);
  }

  async del(id: string): Promise<WriteResult> {
    return this.#tab.call('del', id);
  }

  async bulk(documents: Iterable<Document>): Promise<{ ids: string[]; clock: Clock }> {
    this.#tab.checkOpen();
    const encoded: EncodedDocument[] = encodeDocuments(documents, this.#maxDocumentBytes);
    return this.#tab.call('bulk', encoded);
  }

  get(id: string): Promise<Document | undefined> {
    return this.#now.get(id);
  }

  allDocs(options?: AllDocsOptions): Promise<{ rows: DocumentRow[]; clock: Clock }> {
    return this.#now.allDocs(options);
  }

  query(
    by: string | MapFunction,
    options?: QueryOptions,
  ): Promise<{ rows: QueryRow[]; clock: Clock }> {
    return this.#now.query(by, options);
  }

  history(id: string): Promise<HistoryEntry[]> {
    return this.#now.history(id);
  }

  conflicts(id: string): Promise<Conflict[]> {
    return this.#now.conflicts(id);
  }

  async conflicted(): Promise<string[]> {
    return this.#tab.call('conflicted');
  }

  async commits(options?: CommitsOptions): Promise<CommitEntry[]> {
    return this.#tab.call('commits', options);
  }

  async clockAt(timeMs: number): Promise<Clock> {
    return this.#tab.call('clockAt', timeMs);
  }

  async changes(
    since?: Clock,
  ): Promise<{ rows: { id: string; doc: Document | undefined }[]; clock: Clock }> {
    return this.#tab.call('changes', since);
  }

  /** Where another tab leads, an unknown clock is told by what is asked of the view. */
  at(clock: Clock): LedgerView {
    this.#tab.checkOpen();
    this.#tab.ledger?.at(clock);
    return new SharedView(this.#tab, [...clock]);
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#tab.checkOpen();
    return this.#listeners.add(listener);
  }

  count(): number {
    this.#tab.checkOpen();
    return this.#tab.ledger?.count() ?? this.#tab.state.count;
  }

  usage(): LedgerUsage {
    this.#tab.checkOpen();
    const { ledger } = this.#tab;
    if (ledger !== undefined) return ledger.usage();
    const { blockCount: commits, count: documents, storedBytes } = this.#tab.state;
    return { commits, documents, storedBytes };
  }

  async digest(): Promise<string> {
    return this.#tab.call('digest');
  }

  async *export(): AsyncGenerator<Uint8Array> {
    this.#tab.checkOpen();
    yield* readStream(this.#tab, 'export');
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    this.#tab.checkOpen();
    yield* readStream(this.#tab, 'snapshot');
  }

  async compact(): Promise<CompactReport> {
    return this.#tab.call('compact');
  }

  async import(
    car: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<ImportReport> {
    this.#tab.checkOpen();
    const { importCar } = await loadLater();
    return importCar(car, async (blocks) => this.#tab.call('importBlocks', blocks));
  }

  /** Where another tab leads, nothing is told of the progress. */
  async verify(onProgress?: (done: number, total: number) => void): Promise<VerifyReport> {
    this.#tab.checkOpen();
    return this.#tab.ledger?.verify(onProgress) ?? this.#tab.call('verify');
  }

  close(): Promise<void> {
    return this.#tab.close();
  }

  destroy(): Promise<void> {
    return this.#tab.destroy();
  }
}
