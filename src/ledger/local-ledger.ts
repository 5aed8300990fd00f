import { hex } from '../bytes.ts';
import type { CID } from 'multiformats/cid';
import type { Block, MaybePromise } from '../blocks.ts';
import { LedgerError } from '../errors.ts';
import { Log, type LogPosition } from '../storage/log.ts';
import { Listeners } from '../listeners.ts';
import { tell } from '../tell.ts';
import { Turns } from '../turns.ts';
import type { Persistence } from '../storage/persistence.ts';
import type { Place } from '../storage/place.ts';
import type { Archive } from './archive.ts';
import type { BlockCache } from './block-cache.ts';
import { CommitStore, type Applied } from './commit-store.ts';
import type { CompactReport } from './compaction.ts';
import { emptyState, type ClockState } from './clock-state.ts';
import { hybridTimeAfter } from './clock.ts';
import type { CommitTable } from './commit-table.ts';
import type { CommitEntry, CommitsOptions } from './commit-entries.ts';
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
import { snapshotPays, snapshotSize } from './growth.ts';
import type { Conflict, HistoryEntry } from './history.ts';
import type { Intake } from './intake.ts';
import { loadArchive, loadLater } from './load-later.ts';
import {
  checkLedgerName,
  checkLedgerOptions,
  openPlace,
  persistenceOf,
  type CheckedOptions,
  type LedgerOptions,
} from './options.ts';
import { cacheOf, newWriter, readIndex, readReplicaId } from './opening.ts';
import type { PageTable } from './pages.ts';
import { isNotLoaded, passOver } from './pass-over.ts';
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
import { newReplay, replayLog } from './replay-log.ts';
import { LocalReplica } from './replica.ts';
import { runsBy } from './runs-by.ts';
import { combined, cutCommits, operationFor, type Write } from './transaction.ts';
import { reread } from './reread.ts';
import { type Saved, Upkeep } from './upkeep.ts';
import { LocalView, type AllDocsOptions, type DocumentRow } from './view.ts';
import { WriteQueue } from './write-queue.ts';

/** How many bytes of commits are handed to the log at once. */
const WRITE_GROUP_BYTES = 4 * 1024 * 1024;

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
      await ledger.importSnapshot(options.snapshot);
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
  readonly #upkeep: Upkeep;
  readonly #writes = new WriteQueue(
    this.#turns,
    (writes, refuse) => this.#commit(writes, refuse),
    () => this.clock,
  );
  readonly #persistence: Persistence | undefined;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #rebuiltListeners = new Listeners<[]>();
  #unreadable: readonly CID[];
  #documents: Documents;
  readonly #view: LocalView;
  /** Undefined until something has come from elsewhere. */
  #intake: Intake | undefined;
  #archive: Archive | undefined;
  /** The loads of code that were begun: what waits for them is done before this is closed. */
  readonly #loads = new Set<Promise<unknown>>();
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closing: Promise<void> | undefined;
  /** While this is set, a loss that was found is not yet accounted for: reads wait for it. */
  #losing: Promise<void> | undefined;

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
    this.#view = new LocalView(this.#store, () => this.#documents, undefined);
    this.#upkeep = new Upkeep(
      {
        place: this.#place,
        log: this.#log,
        store: this.#store,
        turns: this.#turns,
        history: this.#options.history,
        documents: () => this.#documents,
        isOpen: () => this.#state === 'open',
        openArchive: () => this.#openArchive(),
      },
      parts.saved,
    );
    this.replica = new LocalReplica(parts.replicaId, this.#store, {
      checkOpen: () => this.#checkOpen(),
      receive: (blocks, origin) => this.#receive(blocks, origin),
      keepsHistory: this.#options.history === 'full',
      snapshotPays: () => snapshotPays(this.#log, this.#documents),
      snapshotSize: () => snapshotSize(this.#log, this.#documents),
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
    const savedSnapshots = state.snapshots.length;
    const replay = await replayLog(log, saved?.position, state, documents);
    const store = new CommitStore(log, state, writer);
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
      saved: {
        bytes: saved?.bytes ?? 0,
        commits: savedCommits,
        unsavedBytes: replay.bytes,
      },
    });
    onCorrupt.call = () => ledger.#loseCorrupt();
    if (parkedLog.segments.size > 0) await ledger.#openParked();
    if (state.snapshots.length > savedSnapshots) ledger.#upkeep.snapshotMerged();
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
      rejected: [...(this.#intake?.rejected ?? [])],
    };
  }

  // --- writing ---

  async put(document: Document, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    const encoded = encodeDocument(document, this.#options.maxDocumentBytes);
    return { id: encoded.id, clock: await this.#add('put', encoded, options) };
  }

  /** Stores a document that `encodeDocument` has checked. */
  async putEncoded(document: EncodedDocument, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    return { id: document.id, clock: await this.#add('put', document, options) };
  }

  async patch(document: Document, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    const encoded = encodeSomeFields(document, this.#options.maxDocumentBytes);
    return { id: encoded.id, clock: await this.#add('patch', encoded, options) };
  }

  /** Writes fields that `encodeSomeFields` has checked. */
  async patchEncoded(document: EncodedDocument, options: PutOptions = {}): Promise<WriteResult> {
    this.#checkOpen();
    return { id: document.id, clock: await this.#add('patch', document, options) };
  }

  async del(id: string): Promise<WriteResult> {
    this.#checkOpen();
    checkId(id);
    return { id, clock: await this.#writes.add({ kind: 'delete', id }) };
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
    await this.#load(loadLater);
    return (await this.#reading()).history(id);
  }

  async conflicts(id: string): Promise<Conflict[]> {
    await this.#load(loadLater);
    return (await this.#reading()).conflicts(id);
  }

  async conflicted(): Promise<string[]> {
    const { conflictedIds } = await this.#load(loadLater);
    return this.#read(conflictedIds);
  }

  async changes(
    since: Clock = [],
  ): Promise<{ rows: { id: string; doc: Document | undefined }[]; clock: Clock }> {
    return this.#read(async (documents) => {
      const clock = this.clock;
      const ids = await this.idsSince(since);
      const docs = await documents.getAll(ids);
      return { rows: ids.map((id, i) => ({ id, doc: docs[i] })), clock };
    });
  }

  /** The ids in `changes`. @throws LedgerError `unknown-clock` */
  async idsSince(since: Clock): Promise<string[]> {
    this.#checkOpen();
    return this.#read(async ({ states }) => {
      const { cache } = this.#store;
      const ids = new Set<string>(since.length === 0 ? states.keys() : []);
      for (const commit of since.length === 0 ? [] : this.#commitsSince(since)) {
        for (const { id } of readCommit(await cache.get(commit)).operations) ids.add(id);
      }
      return [...ids].sort();
    });
  }

  async commits({ since = [], limit = Infinity }: CommitsOptions = {}): Promise<CommitEntry[]> {
    checkLimit(limit);
    const archive = await this.#openArchive();
    return this.#read(() => {
      const commits = since.length === 0 ? this.#store.wholeCommits() : this.#commitsSince(since);
      return archive.commitEntries(commits, limit);
    });
  }

  async clockAt(timeMs: number): Promise<Clock> {
    if (Number.isNaN(timeMs)) {
      throw new LedgerError('invalid-option', 'a time is a number of milliseconds since 1970');
    }
    const archive = await this.#openArchive();
    return this.#read(async () => {
      const { table, count } = this.#store;
      const heads = await archive.past.headsBefore(hybridTimeAfter(timeMs), count);
      if (heads === undefined) throw this.#dropped(`commits of times around ${timeMs}`);
      return heads.map((head) => table.cid(head));
    });
  }

  at(clock: Clock): LocalView {
    this.#checkOpen();
    const heads = [...this.#checkClock(clock)];
    let loading: Promise<Documents> | undefined;
    let { state } = this.#store;
    const load = (): Promise<Documents> => {
      this.#checkOpen();
      // Read anew from a log that was compacted.
      if (state !== this.#store.state) loading = undefined;
      ({ state } = this.#store);
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
    return this.#rebuiltListeners.add(listener);
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
    const archive = await this.#openArchive();
    return this.#read(() => archive.digest());
  }

  // --- moving and checking ---

  async *export(): AsyncGenerator<Uint8Array> {
    yield* (await this.#openArchive()).export();
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    yield* (await this.#openArchive()).snapshot();
  }

  async compact(): Promise<CompactReport> {
    const archive = await this.#openArchive();
    return this.#turns.run(() => archive.compact());
  }

  async import(
    car: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<ImportReport> {
    const { importCar } = await this.#load(loadLater);
    return importCar(car, (blocks) => this.importBlocks(blocks));
  }

  /** Imports a CAR as the option `snapshot` gives it. @throws LedgerError `no-snapshot` */
  async importSnapshot(snapshot: Uint8Array | string | URL): Promise<ImportReport> {
    const { fetchSnapshot } = await this.#load(loadLater);
    return this.import(snapshot instanceof Uint8Array ? snapshot : await fetchSnapshot(snapshot));
  }

  /** Merges blocks whose hashes were checked; resolves with how many commits that has added. */
  async importBlocks(blocks: readonly Block[]): Promise<number> {
    await this.#load(loadLater);
    const before = this.#store.mergedCount + this.#store.parkedCount;
    await this.#receive(blocks);
    return this.#store.mergedCount + this.#store.parkedCount - before;
  }

  async verify(onProgress?: (done: number, total: number) => void): Promise<VerifyReport> {
    const archive = await this.#openArchive();
    return this.#turns.run(() => archive.verify(onProgress));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(async () => {
      try {
        await this.#log.flush();
        await this.#upkeep.saveIndex();
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

  /** Resolves with the clock when the document is written. */
  #add(
    kind: 'put' | 'patch',
    document: EncodedDocument,
    { resolve = false }: PutOptions,
  ): Promise<Clock> {
    return this.#writes.add({ kind, id: document.id, document, resolve });
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
    this.#checkWritable();
    // Before the turn: writes do not wait for the network.
    await this.#loadAnyhow(loadLater);
    await this.#turns.run(async () => {
      this.#checkWritable();
      const intake = await this.#openIntake();
      await intake.receive(blocks, origin);
    });
  }

  async *#snapshotBlocks(): AsyncGenerator<Block> {
    yield* (await this.#openArchive()).snapshotBlocks();
  }

  /** Brings commits that are in the log into the documents, and tells who wants to know. */
  #merge(applied: readonly Applied[], kind: Change['origin'], merged = false): void {
    if (applied.length === 0) return;
    const ids = new Set<string>();
    let length = 0;
    for (const { number, commit, bytes } of applied) {
      if (!merged) this.#documents.apply(number, commit, bytes);
      for (const operation of commit.operations) ids.add(operation.id);
      length += bytes.length;
    }
    const news = runsBy(applied, ({ origin }) => origin).map(({ key: origin, run }) => ({
      cids: run.map(({ cid }) => cid),
      origin,
    }));
    this.#tell(ids, news, kind);
    this.#upkeep.merged(length);
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

  #checkOpen(): void {
    if (this.#state === 'open') return;
    throw new LedgerError('closed', `ledger '${this.name}' is closed`);
  }

  #read<T>(read: (documents: Documents) => MaybePromise<T>): Promise<T> {
    const source = async (): Promise<Documents> => {
      await this.#reading();
      return this.#documents;
    };
    return reread(source, read);
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

  async #documentsBelow(heads: Clock): Promise<Documents> {
    const archive = await this.#openArchive();
    return this.#read(async () => {
      const numbers = this.#checkClock(heads).map((cid) => this.#store.mergedNumberOf(cid));
      const documents = await archive.past.documentsBelow(numbers);
      if (documents !== undefined) return documents;
      throw this.#dropped(`the commits below ${heads.join(', ')}`);
    });
  }

  #dropped(what: string): LedgerError {
    return new LedgerError('unknown-clock', `ledger '${this.name}' has dropped ${what}`);
  }

  /** Merges the whole log anew, after a commit was lost or came back. */
  async #rebuild(from?: LogPosition): Promise<void> {
    const state = this.#emptyState();
    const documents = new Documents(state.table, state.pages, state.cache);
    const { unreadable } = await replayLog(this.#log, from, state, documents);
    this.#unreadable = unreadable;
    this.#upkeep.rebuilt();
    this.#store.restart(state);
    this.#documents = documents;
    this.#rebuiltListeners.tell();
  }

  #emptyState(): ClockState {
    const { cacheBytes } = this.#options;
    return emptyState((table, pages) =>
      cacheOf(this.#log, table, pages, cacheBytes, () => this.#loseCorrupt()),
    );
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
      // The next read that needs the block fails like the first, and this is tried again.
      .catch(passOver)
      .finally(() => {
        this.#losing = undefined;
      });
  }

  // --- what is loaded when it is needed ---

  /** @throws LedgerError `not-loaded`, `closed` */
  #load<Part>(load: () => Promise<Part>): Promise<Part> {
    this.#checkOpen();
    return this.#loadAnyhow(load);
  }

  #loadAnyhow<Part>(load: () => Promise<Part>): Promise<Part> {
    const loading = load();
    if (!this.#loads.has(loading)) {
      this.#loads.add(loading);
      loading.catch(() => this.#loads.delete(loading));
    }
    return loading;
  }

  /** When no loss is waiting to be accounted for. */
  async #openArchive(): Promise<Archive> {
    // It has snapshots merged: that is in the other part.
    const [{ Archive }] = await Promise.all([this.#load(loadArchive), this.#load(loadLater)]);
    if (this.#losing !== undefined) await this.#losing;
    this.#checkWritable();
    this.#archive ??= new Archive({
      log: this.#log,
      store: this.#store,
      turns: this.#turns,
      options: this.#options,
      documents: () => this.#documents,
      emptyState: () => this.#emptyState(),
      newReplay,
      checkOpen: () => this.#checkOpen(),
      rebuild: (from) => this.#rebuild(from),
      saveIndex: () => this.#upkeep.saveIndex(),
    });
    return this.#archive;
  }

  /** The caller keeps writes away. @throws LedgerError `not-loaded`; StorageError */
  async #openIntake(): Promise<Intake> {
    if (this.#intake !== undefined) return this.#intake;
    const { Intake } = await this.#loadAnyhow(loadLater);
    this.#intake = await Intake.open({
      log: this.#log,
      parkedLog: this.#parkedLog,
      store: this.#store,
      turns: this.#turns,
      options: this.#options,
      documents: () => this.#documents,
      isOpen: () => this.#state === 'open',
      rebuild: () => this.#rebuild(),
      merge: (applied, merged) => this.#merge(applied, 'remote', merged),
      snapshotMerged: (ids, cids, origin) => {
        this.#tell(ids, [{ cids, origin }], 'remote');
        this.#upkeep.snapshotMerged();
      },
    });
    return this.#intake;
  }

  /** What an earlier run has parked may wait until something comes. */
  async #openParked(): Promise<void> {
    try {
      await this.#openIntake();
    } catch (error) {
      if (!isNotLoaded(error)) throw error;
    }
  }

  async #close(release: () => Promise<void>): Promise<void> {
    this.#state = 'closing';
    this.#upkeep.stop();
    // What was called for before is done, also when its code is still on the way.
    await Promise.allSettled(this.#loads);
    this.#intake?.stop();
    await this.#turns.run(async () => {
      await this.#writes.flush();
      this.#state = 'closed';
      this.#listeners.clear();
      await release();
    });
  }
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
  readonly saved: Saved;
}
