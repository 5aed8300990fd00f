import { hex } from '../bytes.ts';
import type { CID } from 'multiformats/cid';
import { carChunks } from '../car/chunks.ts';
import { carHeader } from '../car/writer.ts';
import type { Block } from '../blocks.ts';
import { LedgerError, StorageError } from '../errors.ts';
import { Log, type LogPosition } from '../storage/log.ts';
import { tell, throwLater } from '../tell.ts';
import { Turns } from '../turns.ts';
import type { Persistence } from '../storage/persistence.ts';
import type { Place } from '../storage/place.ts';
import type { BlockCache } from './block-cache.ts';
import { CommitStore, type Applied, type Received, type Rejected } from './commit-store.ts';
import { Compaction, type CompactReport } from './compaction.ts';
import { emptyState, type ClockState } from './clock-state.ts';
import { hybridTimeAfter } from './clock.ts';
import type { CommitTable } from './commit-table.ts';
import { commitEntries, type CommitEntry, type CommitsOptions } from './commit-entries.ts';
import { readCommit } from './commit.ts';
import {
  checkId,
  encodeDocument,
  encodeDocuments,
  encodeSomeFields,
  type Document,
  type EncodedDocument,
} from './document.ts';
import { Documents } from './documents.ts';
import { importCar } from './import-car.ts';
import { conflictedIds, type Conflict, type HistoryEntry } from './history.ts';
import {
  checkLedgerName,
  checkLedgerOptions,
  loadSnapshot,
  openPlace,
  persistenceOf,
  type CheckedOptions,
  type LedgerOptions,
} from './options.ts';
import { cacheOf, INDEX_FILE, newWriter, readIndex, readReplicaId } from './opening.ts';
import type { PageTable } from './pages.ts';
import { ParkedCommits } from './parked.ts';
import { Past } from './past.ts';
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
} from './ledger.ts';
import { checkLimit, type MapFunction, type QueryOptions, type QueryRow } from './query.ts';
import { mergedAnew, replayLog } from './recovery.ts';
import { LocalReplica } from './replica.ts';
import { encodeIndex } from './saved-index.ts';
import { runsBy } from './runs-by.ts';
import { kindOf } from './snapshot.ts';
import { combined, cutCommits, operationFor, type Write } from './transaction.ts';
import { LocalView, type AllDocsOptions, type DocumentRow } from './view.ts';

/** How many bytes of commits are handed to the log at once. */
const WRITE_GROUP_BYTES = 4 * 1024 * 1024;

/** The index is saved again after this many bytes of new commits, or four times its own size. */
const SAVE_AFTER_BYTES = 32 * 1024 * 1024;

/** It is saved, and the log compacted, when nothing was written for so long, ... */
const QUIET_MS = 500;
/** ... or when so many bytes of new commits have come all the same. */
const OVERDUE_BYTES = 512 * 1024 * 1024;

/** Readers of CARs bound the header. */
const MAX_ROOTS = 1000;

const MAX_TIMER_MS = 2 ** 31 - 1;

/** When the storage failed under parked commits, they are tried again after this time. */
const RETRY_MS = 60_000;
const MAX_REJECTED = 100;

/** Opens a ledger that this process alone has, creating it where there is none: see `openLedger`. */
export async function openLocalLedger(
  name: string,
  options: LedgerOptions = {},
): Promise<LocalLedger> {
  checkLedgerName(name);
  const checked = checkLedgerOptions(options);
  const place = await openPlace(name, options);
  let ledger: LocalLedger | undefined;
  try {
    ledger = await LocalLedger.open(name, place, checked, persistenceOf(options));
    if (options.snapshot !== undefined && ledger.replica.history.commitCount === 0) {
      await ledger.import(await loadSnapshot(options.snapshot));
    }
    return ledger;
  } catch (error) {
    await (ledger ?? place).close();
    throw error;
  }
}

/** A ledger whose log lies in a place that this process alone has. */
export class LocalLedger implements Ledger {
  readonly name: string;
  readonly replica: LocalReplica;
  readonly #place: Place;
  readonly #log: Log;
  readonly #parkedLog: Log;
  readonly #store: CommitStore;
  readonly #options: CheckedOptions;
  readonly #writer: Uint8Array;
  readonly #turns = new Turns();
  readonly #compaction: Compaction;
  readonly #persistence: Persistence | undefined;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #rebuiltListeners = new Set<() => void>();
  readonly #rejected: Rejected[] = [];
  #unreadable: readonly CID[];
  #documents: Documents;
  #view: LocalView;
  #past: Past;
  #pending: PendingWrite[] = [];
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closing: Promise<void> | undefined;
  #unsavedBytes = 0;
  #savedBytes = 0;
  /** How many commits the saved index tells of; -1 when there is none. */
  #savedCommits = -1;
  /** While this is set, a loss that was found is not yet accounted for: reads wait for it. */
  #losing: Promise<void> | undefined;
  #maintenance: ReturnType<typeof setTimeout> | undefined;
  #lastMergeMs = 0;
  #dueTimer: ReturnType<typeof setTimeout> | undefined;
  /** The wall clock at which all parked commits whose time had come were applied. */
  #judgedMs = Infinity;
  /** The storage failed while parked commits were applied, and they were not tried again since. */
  #isRetryDue = false;

  private constructor(parts: LedgerParts) {
    this.name = parts.name;
    this.#place = parts.place;
    this.#log = parts.log;
    this.#parkedLog = parts.parkedLog;
    this.#store = parts.store;
    this.#options = parts.options;
    this.#writer = parts.writer;
    this.#documents = parts.documents;
    this.#persistence = parts.persistence;
    this.#unreadable = parts.unreadable;
    this.#savedBytes = parts.savedBytes;
    this.#savedCommits = parts.savedCommits;
    this.#unsavedBytes = parts.unsavedBytes;
    this.#view = this.#liveView();
    this.#past = new Past(this.#store.state, this.#log);
    this.#compaction = new Compaction({
      log: this.#log,
      store: this.#store,
      options: this.#options,
      documents: () => this.#documents,
      rebuild: (from) => this.#rebuild(from),
      saveIndex: () => this.#trySaveIndex(),
    });
    this.replica = new LocalReplica(parts.replicaId, this.#store, {
      checkOpen: () => this.#checkOpen(),
      receive: (blocks, origin) => this.#receive(blocks, origin),
      keepsHistory: this.#options.history === 'full',
      snapshotPays: () => this.#compaction.snapshotPays,
      snapshotSize: () => this.#compaction.snapshotSize,
      snapshot: () => this.#snapshotBlocks(),
    });
  }

  /** Opens a ledger in a place of its own; see `openLedger`. */
  static async open(
    name: string,
    place: Place,
    options: CheckedOptions,
    persistence?: Persistence,
  ): Promise<LocalLedger> {
    const { durability, segmentBytes } = options;
    const replicaId = await readReplicaId(place);
    const writer = newWriter(replicaId);
    const log = await Log.open(place, { durability, segmentBytes });
    const parkedLog = await Log.open(place, { durability, segmentBytes, prefix: 'parked' });

    const saved = await readIndex(place, log);
    const onCorrupt: { call: () => void } = { call: () => {} };
    const makeCache = (table: CommitTable, pages: PageTable): BlockCache =>
      cacheOf(log, table, pages, options.cacheBytes, () => onCorrupt.call());
    const state: ClockState = saved
      ? { ...saved.state, cache: makeCache(saved.state.table, saved.state.pages) }
      : emptyState(makeCache);
    const savedCommits = saved?.state.table.count ?? -1;
    const { table, pages, cache } = state;
    const documents = new Documents(table, pages, cache, saved?.documents, saved?.writings);
    const replay = await replayLog(log, saved?.position, state, documents);
    const parked = await ParkedCommits.open(
      parkedLog,
      options.maxParkedBytes,
      (digest) => state.table.find(digest) >= 0,
    );
    const store = new CommitStore(log, parked, state, { ...options, writer });
    const ledger = new LocalLedger({
      name,
      place,
      log,
      parkedLog,
      store,
      options,
      replicaId,
      writer,
      persistence,
      documents,
      unreadable: replay.unreadable,
      unsavedBytes: replay.bytes,
      savedBytes: saved?.bytes ?? 0,
      savedCommits,
    });
    onCorrupt.call = () => ledger.#loseCorrupt();
    await ledger.#applyDue();
    return ledger;
  }

  get clock(): Clock {
    return this.#store.clock;
  }

  get writer(): string {
    return hex(this.#writer);
  }

  get persisted(): boolean | undefined {
    return this.#persistence?.answer;
  }

  get recovery(): RecoveryReport {
    return {
      damage: [...this.#log.damage, ...this.#parkedLog.damage],
      missing: this.#store.missing,
      unreadable: this.#unreadable,
      rejected: [...this.#rejected],
    };
  }

  // --- writing ---

  async put(document: Document, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    const encoded = encodeDocument(document, this.#options.maxDocumentBytes);
    return this.putEncoded(encoded, options);
  }

  /** Stores a document that `encodeDocument` has checked. */
  async putEncoded(document: EncodedDocument, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    const { id } = document;
    const resolve = options.resolve ?? false;
    return { id, clock: await this.#enqueue({ kind: 'put', id, document, resolve }) };
  }

  async patch(document: Document, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    const encoded = encodeSomeFields(document, this.#options.maxDocumentBytes);
    return this.patchEncoded(encoded, options);
  }

  /** Writes fields that `encodeSomeFields` has checked. */
  async patchEncoded(document: EncodedDocument, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    const { id } = document;
    const resolve = options.resolve ?? false;
    return { id, clock: await this.#enqueue({ kind: 'patch', id, document, resolve }) };
  }

  async del(id: string): Promise<WriteResult> {
    this.#checkOpen();
    checkId(id);
    return { id, clock: await this.#enqueue({ kind: 'delete', id }) };
  }

  async bulk(documents: Iterable<Document>): Promise<{ ids: string[]; clock: Clock }> {
    this.#checkOpen();
    return this.bulkEncoded(encodeDocuments(documents, this.#options.maxDocumentBytes));
  }

  /** Stores documents that `encodeDocuments` has checked. */
  async bulkEncoded(
    documents: readonly EncodedDocument[],
  ): Promise<{ ids: string[]; clock: Clock }> {
    this.#checkOpen();
    const writes = documents.map((document): Write => {
      return { kind: 'put', id: document.id, document, resolve: false };
    });
    await this.#turns.run(() => this.#commit(writes));
    return { ids: writes.map((write) => write.id), clock: this.clock };
  }

  // --- reading ---

  async get(id: string): Promise<Document | undefined> {
    return (await this.#reading()).get(id);
  }

  async allDocs(options?: AllDocsOptions): Promise<{ rows: DocumentRow[]; clock: Clock }> {
    return (await this.#reading()).allDocs(options);
  }

  async query(
    by: string | MapFunction,
    options?: QueryOptions,
  ): Promise<{ rows: QueryRow[]; clock: Clock }> {
    return (await this.#reading()).query(by, options);
  }

  /** The ids of all documents that were ever written. */
  async allIds(): Promise<string[]> {
    return (await this.#reading()).allIds();
  }

  /** Documents by their ids, undefined for those that are not there. */
  async getAll(ids: readonly string[]): Promise<(Document | undefined)[]> {
    return (await this.#reading()).getAll(ids);
  }

  async history(id: string): Promise<HistoryEntry[]> {
    return (await this.#reading()).history(id);
  }

  async conflicts(id: string): Promise<Conflict[]> {
    return (await this.#reading()).conflicts(id);
  }

  async conflicted(): Promise<string[]> {
    await this.#reading();
    return conflictedIds(this.#documents);
  }

  async changes(
    since: Clock = [],
  ): Promise<{ rows: { id: string; doc: Document | undefined }[]; clock: Clock }> {
    await this.#reading();
    const clock = this.clock;
    const documents = this.#documents;
    const ids = await this.idsSince(since);
    const docs = await documents.getAll(ids);
    return { rows: ids.map((id, i) => ({ id, doc: docs[i] })), clock };
  }

  /** The ids in `changes`. @throws LedgerError `unknown-clock` */
  async idsSince(since: Clock): Promise<string[]> {
    this.#checkOpen();
    const { cache } = this.#store;
    const ids = new Set<string>(since.length === 0 ? this.#documents.states.keys() : []);
    for (const commit of since.length === 0 ? [] : this.#commitsSince(since)) {
      for (const { id } of readCommit(await cache.get(commit)).operations) ids.add(id);
    }
    return [...ids].sort();
  }

  async commits({ since = [], limit = Infinity }: CommitsOptions = {}): Promise<CommitEntry[]> {
    checkLimit(limit);
    await this.#reading();
    const commits = since.length === 0 ? this.#store.wholeCommits() : this.#commitsSince(since);
    return commitEntries(commits, limit, this.#store.state);
  }

  async clockAt(timeMs: number): Promise<Clock> {
    if (Number.isNaN(timeMs)) {
      throw new LedgerError('invalid-option', 'a time is a number of milliseconds since 1970');
    }
    await this.#reading();
    const { table, count } = this.#store;
    const heads = await this.#past.headsBefore(hybridTimeAfter(timeMs), count);
    if (heads === undefined) throw this.#dropped(`commits of times around ${timeMs}`);
    return heads.map((head) => table.cid(head));
  }

  at(clock: Clock): LocalView {
    this.#checkOpen();
    const heads = [...this.#checkClock(clock)];
    let loading: Promise<Documents> | undefined;
    const load = (): Promise<Documents> => {
      this.#checkOpen();
      loading ??= this.#documentsBelow(heads).catch((error: unknown) => {
        loading = undefined;
        throw error;
      });
      return loading;
    };
    return new LocalView(this.#store, load, heads);
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#checkOpen();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls the listener when the log was read anew, as after compacting; returns its end. */
  onRebuilt(listener: () => void): () => void {
    this.#rebuiltListeners.add(listener);
    return () => this.#rebuiltListeners.delete(listener);
  }

  count(): number {
    this.#checkOpen();
    return this.documentCount;
  }

  /** `count`, of a ledger that is closed too. */
  get documentCount(): number {
    return this.#documents.count();
  }

  usage(): LedgerUsage {
    this.#checkOpen();
    const { documentCount: documents, storedBytes } = this;
    return { commits: this.#store.blockCount, documents, storedBytes };
  }

  /** What both logs take, of a ledger that is closed too. */
  get storedBytes(): number {
    return this.#log.bytes + this.#parkedLog.bytes;
  }

  async digest(): Promise<string> {
    await this.#reading();
    return hex(await this.#documents.digest());
  }

  // --- moving and checking ---

  async *export(): AsyncGenerator<Uint8Array> {
    await this.#reading();
    const cids = this.#store.storedCids();
    yield carHeader(this.clock.slice(0, MAX_ROOTS));
    yield* carChunks(this.#blocks(await cids));
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    await this.#reading();
    const { blocks, release } = await this.#turns.run(() => this.#compaction.snapshot());
    try {
      // A CAR begins with its root, which is known when all pages are: the first pass only hashes.
      let root: CID | undefined;
      for await (const block of blocks()) root = block.cid;
      yield carHeader([root!]);
      yield* carChunks(blocks());
    } finally {
      release();
    }
  }

  async compact(): Promise<CompactReport> {
    this.#checkOpen();
    if (this.#losing !== undefined) await this.#losing;
    return this.#turns.run(() => {
      this.#checkWritable();
      return this.#compaction.run();
    });
  }

  async import(
    car: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<ImportReport> {
    this.#checkOpen();
    return importCar(car, (blocks) => this.importBlocks(blocks));
  }

  /** Merges blocks whose hashes were checked; resolves with how many commits that has added. */
  async importBlocks(blocks: readonly Block[]): Promise<number> {
    const before = this.#store.mergedCount + this.#store.parkedCount;
    await this.#receive(blocks);
    return this.#store.mergedCount + this.#store.parkedCount - before;
  }

  async verify(onProgress?: (done: number, total: number) => void): Promise<VerifyReport> {
    this.#checkOpen();
    return this.#turns.run(async () => {
      const corrupt: { cid: CID; error: unknown }[] = [];
      let [bytes, done] = [0, 0];
      const total = this.#store.blockCount;
      const fresh = emptyState((table, pages) => this.#makeCache(table, pages));
      const documents = await mergedAnew(this.#log, this.#store.state, fresh, {
        onCorrupt: (cid, error) => corrupt.push({ cid, error }),
        onBlock: (length) => {
          bytes += length;
          onProgress?.(Math.min(++done, total), total);
        },
      });
      const whole = corrupt.length === 0;
      const digest = whole ? hex(await documents.digest()) : '';
      return {
        commits: this.#store.count,
        documents: documents.count(),
        bytes,
        corrupt,
        stateMatches: whole && digest === hex(await this.#documents.digest()),
        digest,
      };
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(async () => {
      try {
        await this.#log.flush();
        await this.#trySaveIndex();
      } finally {
        await this.#place.close();
      }
    });
    return this.#closing;
  }

  async destroy(): Promise<void> {
    if (this.#closing !== undefined) {
      throw new LedgerError('closed', `ledger '${this.name}' is closed: open it to destroy it`);
    }
    this.#closing = this.#close(async () => {
      await this.#place.destroy();
    });
    return this.#closing;
  }

  // --- writing, inside ---

  #enqueue(write: Write): Promise<Clock> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ write, resolve, reject });
      if (this.#pending.length > 1) return;
      // The first write of a tick; those that follow in the same tick join its commit.
      queueMicrotask(() => void this.#turns.run(() => this.#flush()));
    });
  }

  /** Commits what is pending. Never rejects: each write is told by its own promise. */
  async #flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    try {
      await this.#commit(
        pending.map(({ write }) => write),
        (id, error) => {
          for (const { write, reject } of pending) if (write.id === id) reject(error);
        },
      );
      const { clock } = this;
      for (const { resolve } of pending) resolve(clock);
    } catch (error) {
      for (const { reject } of pending) reject(error);
    }
  }

  /**
   * Turns writes into operations and commits them. Several writes of one document become one.
   * @param refuse is told of a document whose write cannot be, which then does not keep the others
   *   from being committed; without it the first such write refuses all
   */
  async #commit(
    writes: readonly Write[],
    refuse?: (id: string, error: unknown) => void,
  ): Promise<void> {
    this.#checkWritable();
    const last = new Map<string, Write>();
    for (const write of writes) last.set(write.id, combined(last.get(write.id), write));
    let operations: Uint8Array[] = [];
    let bytes = 0;
    for (const [id, write] of last) {
      try {
        const made = operationFor(write, this.#documents, this.#options.maxDocumentBytes);
        const operation = made instanceof Promise ? await made : made;
        if (operation === undefined) continue;
        operations.push(operation);
        bytes += operation.length;
      } catch (error) {
        if (refuse === undefined) throw error;
        refuse(id, error);
      }
      if (bytes >= WRITE_GROUP_BYTES) {
        await this.#write(operations);
        operations = [];
        bytes = 0;
      }
    }
    if (operations.length > 0) await this.#write(operations);
  }

  async #write(operations: readonly Uint8Array[]): Promise<void> {
    const written = this.#store.write(cutCommits(operations), this.#options.now());
    this.#merge(written instanceof Promise ? await written : written, 'local');
  }

  async #receive(blocks: readonly Block[], origin?: object): Promise<void> {
    if (blocks.length === 0) return;
    await this.#turns.run(async () => {
      this.#checkWritable();
      const nowMs = this.#options.now();
      for (const { key: kind, run } of runsBy(blocks, ({ bytes }) => kindOf(bytes))) {
        if (kind === 'commit') {
          await this.#take(await this.#store.receive(run, nowMs, origin), nowMs);
        } else if (kind === 'page') {
          await this.#store.addPages(run);
        } else {
          for (const root of run) await this.#receiveRoot(root, nowMs, origin);
        }
      }
    });
  }

  async #receiveRoot(root: Block, nowMs: number, origin?: object): Promise<void> {
    const brought = await this.#store.addRoot(root, this.#documents);
    if (brought === undefined) return;
    this.#tell(new Set(brought.ids), [{ cids: brought.cids, origin }], 'remote');
    await this.#take(await this.#store.receiveDue(nowMs), nowMs);
  }

  async *#snapshotBlocks(): AsyncGenerator<Block> {
    const { blocks, release } = await this.#turns.run(() => this.#compaction.snapshot());
    try {
      yield* blocks();
    } finally {
      release();
    }
  }

  async *#blocks(cids: Iterable<CID>): AsyncGenerator<Block> {
    for (const cid of cids) {
      this.#checkOpen();
      const bytes = await this.#store.getBlock(cid);
      if (bytes === undefined) {
        throw new StorageError('missing-block', `block ${cid} was lost while it was exported`);
      }
      yield { cid, bytes };
    }
  }

  async #take({ applied, rejected, healed, error }: Received, nowMs: number): Promise<void> {
    this.#rejected.push(...rejected);
    this.#rejected.splice(0, this.#rejected.length - MAX_REJECTED);
    if (healed) await this.#rebuild();
    this.#merge(applied, 'remote', healed);
    this.#awaitDue(nowMs, error instanceof StorageError);
    if (error !== undefined) throw error;
  }

  /** Brings commits that are in the log into the documents, and tells who wants to know. */
  #merge(applied: readonly Applied[], kind: Change['origin'], merged = false): void {
    if (applied.length === 0) return;
    const ids = new Set<string>();
    for (const { number, commit, bytes } of applied) {
      if (!merged) this.#documents.apply(number, commit, bytes);
      for (const operation of commit.operations) ids.add(operation.id);
      this.#unsavedBytes += bytes.length;
    }
    const news = runsBy(applied, ({ origin }) => origin).map(({ key: origin, run }) => ({
      cids: run.map(({ cid }) => cid),
      origin,
    }));
    this.#tell(ids, news, kind);
    this.#maintainWhenQuiet();
  }

  /** Tells who wants to know that blocks came, and what they changed. */
  #tell(
    ids: ReadonlySet<string>,
    news: readonly { readonly cids: readonly CID[]; readonly origin: object | undefined }[],
    kind: Change['origin'],
  ): void {
    this.#view.invalidate(ids);
    for (const { cids, origin } of news) {
      for (const watcher of this.replica.watchers) tell(() => watcher(cids, origin), undefined);
    }
    if (this.#listeners.size > 0) {
      const change: Change = { ids: [...ids], clock: this.clock, origin: kind };
      for (const listener of this.#listeners) tell(listener, change);
    }
  }

  // --- the rest ---

  get #isSaveDue(): boolean {
    return this.#unsavedBytes > Math.max(SAVE_AFTER_BYTES, this.#savedBytes * 4);
  }

  /** What keeps writes waiting is done when there were none for a moment; never too late, though. */
  #maintainWhenQuiet(): void {
    this.#lastMergeMs = performance.now();
    if (this.#maintenance !== undefined || this.#state !== 'open') return;
    if (this.#isSaveDue || this.#compaction.isDue) this.#awaitQuiet();
  }

  #awaitQuiet(): void {
    this.#maintenance = setTimeout(() => {
      this.#maintenance = undefined;
      const isQuiet = performance.now() - this.#lastMergeMs >= QUIET_MS;
      if (isQuiet || this.#unsavedBytes > OVERDUE_BYTES)
        void this.#turns.run(() => this.#maintain());
      else this.#awaitQuiet();
    }, QUIET_MS);
    (this.#maintenance as { unref?: () => void }).unref?.();
  }

  async #maintain(): Promise<void> {
    if (this.#state !== 'open') return;
    try {
      if (this.#compaction.isDue) await this.#compaction.run();
      if (this.#isSaveDue) await this.#trySaveIndex();
    } catch (error) {
      // The log stays as it is, and a later write tries again.
      if (!(error instanceof StorageError)) throwLater(error);
    }
  }

  #checkOpen(): void {
    if (this.#state === 'open') return;
    throw new LedgerError('closed', `ledger '${this.name}' is closed`);
  }

  /** What reads go through, when no loss is waiting to be accounted for. */
  async #reading(): Promise<LocalView> {
    this.#checkOpen();
    if (this.#losing !== undefined) await this.#losing;
    return this.#view;
  }

  /** What was asked for before `close` is still written. */
  #checkWritable(): void {
    if (this.#state === 'closed') {
      throw new LedgerError('closed', `ledger '${this.name}' is closed`);
    }
  }

  #checkClock(clock: Clock): Clock {
    const unknown = clock.find((cid) => !this.#store.isMerged(cid));
    if (unknown === undefined) return clock;
    throw new LedgerError('unknown-clock', `ledger '${this.name}' does not hold commit ${unknown}`);
  }

  /** @throws LedgerError `unknown-clock` */
  #commitsSince(clock: Clock): number[] {
    const commits = this.#store.commitsSince(clock);
    if (commits !== undefined) return commits;
    this.#checkClock(clock);
    throw this.#dropped('what came after it');
  }

  #liveView(): LocalView {
    const documents = this.#documents;
    return new LocalView(this.#store, () => documents, undefined);
  }

  async #documentsBelow(heads: Clock): Promise<Documents> {
    if (this.#losing !== undefined) await this.#losing;
    const numbers = this.#checkClock(heads).map((cid) => this.#store.mergedNumberOf(cid));
    const documents = await this.#past.documentsBelow(numbers);
    if (documents !== undefined) return documents;
    throw this.#dropped(`the commits below ${heads.join(', ')}`);
  }

  #dropped(what: string): LedgerError {
    return new LedgerError('unknown-clock', `ledger '${this.name}' has dropped ${what}`);
  }

  /** Merges the whole log anew, after a commit was lost or came back. */
  async #rebuild(from?: LogPosition): Promise<void> {
    const state = emptyState((table, pages) => this.#makeCache(table, pages));
    const documents = new Documents(state.table, state.pages, state.cache);
    const { unreadable } = await replayLog(this.#log, from, state, documents);
    this.#unreadable = unreadable;
    this.#savedCommits = -1;
    this.#store.restart(state);
    this.#documents = documents;
    this.#view = this.#liveView();
    this.#past = new Past(state, this.#log);
    for (const listener of this.#rebuiltListeners) tell(listener, undefined);
  }

  #makeCache(table: CommitTable, pages: PageTable): BlockCache {
    const { cacheBytes } = this.#options;
    return cacheOf(this.#log, table, pages, cacheBytes, () => this.#loseCorrupt());
  }

  /**
   * A block read from storage is not what was written: the call that needed it has failed with the
   * StorageError; the calls after it see what can be told without that commit.
   */
  #loseCorrupt(): void {
    this.#losing ??= this.#turns
      .run(async () => {
        if (this.#state === 'open') await this.#rebuild();
      })
      .catch((error: unknown) => {
        // The next read that needs the block fails like the first, and this is tried again.
        if (!(error instanceof StorageError)) throwLater(error);
      })
      .finally(() => {
        this.#losing = undefined;
      });
  }

  /** Applies the parked commits that can be; a storage that fails is tried again later. */
  async #applyDue(): Promise<void> {
    await this.#turns.run(async () => {
      this.#isRetryDue = false;
      if (this.#state !== 'open' || this.#store.parkedCount === 0) return;
      const nowMs = this.#options.now();
      try {
        const due = await this.#store.receiveDue(nowMs);
        if (due.error === undefined) this.#judgedMs = nowMs;
        await this.#take(due, nowMs);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
      }
    });
  }

  /**
   * Sets the timer for the parked commits that were too early when they were last judged: since then
   * the wall clock may have jumped over the time of some, as it does after a machine has slept. Those
   * that a storage did not take are tried again once something else was stored.
   */
  #awaitDue(nowMs: number, failed: boolean): void {
    clearTimeout(this.#dueTimer);
    this.#judgedMs = Math.min(this.#judgedMs, nowMs);
    let dueMs = this.#store.nextDueMs(this.#judgedMs);
    if (failed) dueMs = nowMs + RETRY_MS;
    else if (this.#isRetryDue) dueMs = nowMs;
    this.#isRetryDue ||= failed;
    if (dueMs === Infinity || this.#state !== 'open') return;
    const delayMs = Math.min(Math.max(0, dueMs - this.#options.now()) + 1, MAX_TIMER_MS);
    this.#dueTimer = setTimeout(() => {
      this.#applyDue().catch(throwLater);
    }, delayMs);
    (this.#dueTimer as { unref?: () => void }).unref?.();
  }

  async #close(release: () => Promise<void>): Promise<void> {
    this.#state = 'closing';
    clearTimeout(this.#dueTimer);
    clearTimeout(this.#maintenance);
    await this.#turns.run(async () => {
      if (this.#pending.length > 0) await this.#flush();
      this.#state = 'closed';
      this.#listeners.clear();
      await release();
    });
  }

  /** An index that cannot be saved costs time at the next opening, nothing else. */
  async #trySaveIndex(): Promise<void> {
    try {
      await this.#saveIndex();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#unsavedBytes = 0;
    }
  }

  async #saveIndex(): Promise<void> {
    const { segments, end } = this.#log;
    if (segments.size === 0 || this.#savedCommits === this.#store.count) return;
    if (this.#store.missing.length > 0) {
      // The next opening looks at the log itself: what was lost may stand behind its children by then.
      await this.#place.remove(INDEX_FILE);
      return;
    }
    // First the log, then what was computed from it: the index never tells of commits that are not there.
    await this.#log.flush();
    const bytes = await encodeIndex({
      position: end,
      segments: new Map(segments),
      state: this.#store.state,
      documents: this.#documents.states,
      writings: this.#documents.writings,
    });
    await this.#place.replace(INDEX_FILE, bytes);
    this.#savedBytes = bytes.length;
    this.#savedCommits = this.#store.count;
    this.#unsavedBytes = 0;
  }
}

interface PendingWrite {
  readonly write: Write;
  readonly resolve: (clock: Clock) => void;
  readonly reject: (error: unknown) => void;
}

interface LedgerParts {
  readonly name: string;
  readonly place: Place;
  readonly log: Log;
  readonly parkedLog: Log;
  readonly store: CommitStore;
  readonly options: CheckedOptions;
  readonly replicaId: Uint8Array;
  readonly writer: Uint8Array;
  readonly persistence: Persistence | undefined;
  readonly documents: Documents;
  readonly unreadable: readonly CID[];
  readonly unsavedBytes: number;
  readonly savedBytes: number;
  readonly savedCommits: number;
}
