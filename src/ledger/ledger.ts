import type { CID } from 'multiformats/cid';
import type { LogDamage } from '../storage/log.ts';
import type { CommitEntry, CommitsOptions } from './commit-entries.ts';
import type { Rejected } from './receiver.ts';
import type { CompactReport } from './compaction.ts';
import type { Document } from './document.ts';
import type { Conflict, HistoryEntry } from './history.ts';
import type { MapFunction, QueryOptions, QueryRow } from './query.ts';
import type { LedgerReplica } from './replica.ts';
import type { AllDocsOptions, DocumentRow, LedgerView } from './view.ts';

/** A point of the Merkle clock: the CIDs of its head commits. */
export type Clock = readonly CID[];

export interface WriteResult {
  readonly id: string;
  readonly clock: Clock;
}

export interface PutOptions {
  /**
   * Settles what concurrent writers left: this document's values win over all of them; of a patch
   * those of its fields.
   */
  readonly resolve?: boolean;
}

/** What a commit, or a group of them, changed. */
export interface Change {
  /** The documents written, each once. */
  readonly ids: readonly string[];
  readonly clock: Clock;
  /** `remote` for what came from a peer or an import. */
  readonly origin: 'local' | 'remote';
}

/** What opening found, and what has been found wrong since. */
export interface RecoveryReport {
  /** Torn tails that were cut and corrupt blocks that were passed over, by segment and offset. */
  readonly damage: readonly LogDamage[];
  /** Commits that the log has lost; the next peer that has them brings them back. */
  readonly missing: Clock;
  /** Blocks that this version cannot read. */
  readonly unreadable: readonly CID[];
  /** Commits that waited for their parents and turned out to be impossible; the last hundred. */
  readonly rejected: readonly Rejected[];
}

export interface VerifyReport {
  readonly commits: number;
  readonly documents: number;
  readonly bytes: number;
  /** Commits whose bytes are not what their CID says, with what reading them threw. */
  readonly corrupt: readonly { cid: CID; error: unknown }[];
  /** Whether merging all commits anew gives the present state. */
  readonly stateMatches: boolean;
  readonly digest: string;
}

/** What a ledger holds and takes. */
export interface LedgerUsage {
  /** Those that are here as commits, not within a snapshot. */
  readonly commits: number;
  readonly documents: number;
  /** The bytes of its log, with the commits that wait for others. */
  readonly storedBytes: number;
}

export interface ImportReport {
  readonly blocks: number;
  /** How many commits came, as themselves or within a snapshot. */
  readonly added: number;
}

/**
 * Documents under a Merkle clock, kept in a log of content-addressed commits.
 *
 * Writes issued in the same tick form one commit (several when they pass 64 KiB). A write that resolved
 * is in the log. Reads see it from then on. Every method throws LedgerError `closed` after `close`.
 *
 * In pages of bundlers the code for history and conflicts, for the past, and for all that moves, checks
 * or compacts a ledger is loaded when it is first called. Where that fails (the page is offline, or its
 * app was updated) the call throws LedgerError `not-loaded`, and the next one tries again.
 */
export interface Ledger {
  readonly name: string;
  /** What `Sync` and other sessions ask of this ledger. */
  readonly replica: LedgerReplica;
  /** The heads of the Merkle clock, sorted. */
  readonly clock: Clock;
  /**
   * The id under which this ledger writes, in hexadecimal: the `writer` of its own history entries. The
   * first 16 digits stay the same, the others are new each time that it is opened.
   */
  readonly writer: string;
  /**
   * In browsers: whether what is stored stays until its user removes it; if false the browser may clear
   * it when the disk fills up (see the option `persist`). Undefined until the browser, or its user, has
   * answered, and for places that are no browser's.
   */
  readonly persisted: boolean | undefined;
  readonly recovery: RecoveryReport;

  // --- writing ---

  /**
   * Stores a document: only the fields that differ from the stored one are written, and stored fields
   * that it lacks are removed. Concurrent changes of other fields by others survive it.
   * @throws DocumentError, LedgerError `closed`, StorageError; nothing is then written
   */
  put(document: Document, options?: PutOptions): Promise<WriteResult>;
  /**
   * Writes just the fields given, as far as they differ from the stored ones; all others stay as they
   * are by then, whatever has come meanwhile. Where there is no document, these fields make one. A
   * patch sees the writes of its own tick that were issued before it.
   * @throws as `put`; DocumentError `empty-patch` without any field but `_id`
   */
  patch(document: Document, options?: PutOptions): Promise<WriteResult>;
  /** Deletes a document; nothing is written when there is none. An edit made elsewhere meanwhile wins. */
  del(id: string): Promise<WriteResult>;
  /**
   * Stores many documents, checked before the first is written, in commits of about 64 KiB. When the
   * disk fails in the middle, the commits before stay.
   * @throws as `put`
   */
  bulk(documents: Iterable<Document>): Promise<{ ids: string[]; clock: Clock }>;

  // --- reading ---

  /** The document, or undefined when there is none. */
  get(id: string): Promise<Document | undefined>;
  /** Documents by id; see LedgerView. */
  allDocs(options?: AllDocsOptions): Promise<{ rows: DocumentRow[]; clock: Clock }>;
  /** Documents by a field or a map function; see LedgerView. */
  query(
    by: string | MapFunction,
    options?: QueryOptions,
  ): Promise<{ rows: QueryRow[]; clock: Clock }>;
  /** Every writing of a document, oldest first. */
  history(id: string): Promise<HistoryEntry[]>;
  /** Concurrent versions that nobody has settled yet: see `put` with `resolve`. */
  conflicts(id: string): Promise<Conflict[]>;
  /** The ids of all documents that have conflicts, sorted. */
  conflicted(): Promise<string[]>;
  /**
   * Documents changed after a clock, each once, in order of id; all of them without one. A deleted
   * document has no `doc`. Give the returned clock to the next call.
   * @throws LedgerError `unknown-clock`
   */
  changes(
    since?: Clock,
  ): Promise<{ rows: { id: string; doc: Document | undefined }[]; clock: Clock }>;
  /**
   * The clock of all commits that were written until then, by their writers' hybrid clocks:
   * `ledger.at(await ledger.clockAt(time))` is what they add up to.
   * @param timeMs in milliseconds since 1970
   * @throws LedgerError `unknown-clock` when some of them were dropped (see the option `history`)
   */
  clockAt(timeMs: number): Promise<Clock>;
  /**
   * The documents as they were at a clock that this ledger has passed and whose commits it still has
   * (see the option `history`), or that of a snapshot that it has merged. Its first read merges the
   * commits that came after the nearest clock that was looked at lately.
   * @throws LedgerError `unknown-clock`, for commits that were dropped by the view's methods
   */
  at(clock: Clock): LedgerView;
  /**
   * Commits, parents before children, in order of their times; those that gave way to a snapshot are
   * not among them. What has come after a recent clock is found without a look at what was before.
   * @throws LedgerError `unknown-clock`, `invalid-option`
   */
  commits(options?: CommitsOptions): Promise<CommitEntry[]>;
  /** Calls the listener after each commit, or group of commits that came together. */
  subscribe(listener: (change: Change) => void): () => void;
  /** How many documents there are. */
  count(): number;
  /** How much is stored. Where another tab has the storage: by what it said last. */
  usage(): LedgerUsage;
  /** SHA-256 of the merged state, in hexadecimal: equal for ledgers that hold the same commits. */
  digest(): Promise<string>;

  // --- moving and checking ---

  /**
   * All that is here as a CARv1 whose roots are the clock, up to a thousand heads of it: the commits,
   * before them the snapshots that hold what was dropped. What is written meanwhile is not in it.
   */
  export(): AsyncGenerator<Uint8Array>;
  /**
   * The documents of now, without their past, as a CARv1 that `openLedger` takes as a start. Its root is
   * the snapshot's; ledgers of the same clock make the same bytes.
   */
  snapshot(): AsyncGenerator<Uint8Array>;
  /**
   * Lets old commits give way to a snapshot of the documents, whose newest part stays as commits, for
   * peers that were away for a while. Writes wait while it runs. Does nothing for a ledger of
   * `history: 'full'`, for one that has lost commits, and while a snapshot is sent to a peer.
   * @throws StorageError; everything is then as it was
   */
  compact(): Promise<CompactReport>;
  /**
   * Merges the commits of a CAR, such as `export` makes, in chunks of any size.
   * @throws BlockError for the first block that cannot be; those before it stay. When what cannot be
   *   is the CAR itself, those of the chunks before stay.
   */
  import(car: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<ImportReport>;
  /** Reads every block from storage, hashes it, merges all anew and compares with the present state. */
  verify(onProgress?: (done: number, total: number) => void): Promise<VerifyReport>;
  /**
   * Waits for pending writes and gives up the storage. Later calls do nothing.
   * @throws StorageError when the disk did not take what was written
   */
  close(): Promise<void>;
  /** Closes and removes everything that was stored. */
  destroy(): Promise<void>;
}
