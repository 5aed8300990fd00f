/** `emberlink/ledger`: a ledger alone, without anything that connects it to others. */
export { CID } from 'multiformats/cid';
export { blockOf, MAX_BLOCK_BYTES, type Block, type MaybePromise } from '../blocks.ts';
export {
  BlockError,
  DocumentError,
  EmberlinkError,
  LedgerError,
  StorageError,
  type BlockErrorCode,
  type DocumentErrorCode,
  type LedgerErrorCode,
  type StorageErrorCode,
} from '../errors.ts';
export type { CommitEntry, CommitOperation, CommitsOptions } from '../ledger/commit-entries.ts';
export {
  DEFAULT_MAX_DOCUMENT_BYTES,
  MAX_ID_BYTES,
  type Document,
  type DocumentValue,
} from '../ledger/document.ts';
export type {
  GuardedReplica,
  IncomingChange,
  IncomingCommit,
  IncomingOperation,
  IncomingSnapshot,
  Validate,
  Verdict,
} from '../ledger/guard.ts';
export { guardReplica } from '../ledger/guard-replica.ts';
export type {
  Conflict,
  ConflictVersion,
  DeleteConflict,
  FieldConflict,
  HistoryEntry,
} from '../ledger/history.ts';
export type { Rejected } from '../ledger/receiver.ts';
export type { Dot } from '../ledger/commit.ts';
export type { CompactReport } from '../ledger/compaction.ts';
export type {
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
export type { LedgerOptions } from '../ledger/options.ts';
export type { LedgerHistory, LedgerReplica, Watcher } from '../ledger/replica.ts';
export type { MapFunction, QueryOptions, QueryRow } from '../ledger/query.ts';
export type { AllDocsOptions, DocumentRow, LedgerView } from '../ledger/view.ts';
export { openLedger } from '../open-ledger.ts';
export type { Sketch } from '../sketch.ts';
export type { LogDamage } from '../storage/log.ts';
export type { Place } from '../storage/place.ts';
