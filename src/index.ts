export { CID } from 'multiformats/cid';
export { blockOf, MAX_BLOCK_BYTES, type Block, type MaybePromise } from './blocks.ts';
export {
  BlockError,
  ConnectionError,
  DocumentError,
  EmberlinkError,
  LedgerError,
  ProtocolError,
  RoomError,
  SignalError,
  StorageError,
  type BlockErrorCode,
  type ConnectionErrorCode,
  type DocumentErrorCode,
  type LedgerErrorCode,
  type ProtocolErrorCode,
  type RoomErrorCode,
  type SignalErrorCode,
  type StorageErrorCode,
} from './errors.ts';
export {
  DEFAULT_MAX_DOCUMENT_BYTES,
  MAX_ID_BYTES,
  type Document,
  type DocumentValue,
} from './ledger/document.ts';
export {
  guardReplica,
  type GuardedReplica,
  type IncomingChange,
  type IncomingCommit,
  type IncomingOperation,
  type IncomingSnapshot,
  type Validate,
  type Verdict,
} from './ledger/guard.ts';
export type {
  Conflict,
  ConflictVersion,
  DeleteConflict,
  FieldConflict,
  HistoryEntry,
} from './ledger/history.ts';
export { joinRoom } from './join-room.ts';
export type {
  Change,
  Clock,
  ImportReport,
  Ledger,
  PutOptions,
  RecoveryReport,
  VerifyReport,
  WriteResult,
} from './ledger/ledger.ts';
export type { LedgerOptions } from './ledger/options.ts';
export type { LedgerReplica } from './ledger/replica.ts';
export type { MapFunction, QueryOptions, QueryRow } from './ledger/query.ts';
export type { AllDocsOptions, DocumentRow, LedgerView } from './ledger/view.ts';
export { openLedger } from './open-ledger.ts';
export type { Replica } from './protocol/replica.ts';
export type { Authorization, Room, RoomMember, RoomOptions, RoomPeer, RoomStatus } from './room.ts';
export type { Access } from './rooms/handshake.ts';
export { createRoomSecret, roomId } from './rooms/keys.ts';
export type { Link, LinkAttempt, Linker, LinkOptions, LinkSignal, Port } from './rooms/link.ts';
export type { RoomPresence } from './rooms/presence.ts';
export type {
  SignalingAdapter,
  SignalingEvents,
  SignalingJoin,
  SignalingMembership,
  SignalingStatus,
} from './rooms/signaling.ts';
export type { Place } from './storage/place.ts';
export type { SyncProgress } from './protocol/session.ts';
export { Sync, type OfferOptions, type SyncOptions, type SyncStatus } from './sync.ts';
export type { SyncSource } from './sync-source.ts';
export type { WebRtcImplementation } from './transports/webrtc.ts';
export type { WebSocketClass } from './transports/websocket-class.ts';
export {
  connectWebSocket,
  type WebSocketSync,
  type WebSocketSyncOptions,
  type WebSocketSyncStatus,
} from './websocket-sync.ts';
