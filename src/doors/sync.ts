/** `emberlink/sync`: joins a ledger to one peer, or to a server. */
export {
  BlockError,
  ConnectionError,
  EmberlinkError,
  ProtocolError,
  RoomError,
  SignalError,
  type BlockErrorCode,
  type ConnectionErrorCode,
  type ProtocolErrorCode,
  type RoomErrorCode,
  type SignalErrorCode,
} from '../errors.ts';
export type { Amount } from '../protocol/dialect.ts';
export type { Replica, ReplicaHistory } from '../protocol/replica.ts';
export type { SyncProgress } from '../protocol/session.ts';
export type { TracedLack, TraceEvent, TraceFact } from '../protocol/trace.ts';
export type { Access } from '../rooms/handshake.ts';
export type { SessionStatus } from '../session-status.ts';
export { Sync, type OfferOptions, type SyncOptions, type SyncStatus } from '../sync.ts';
export type { SyncSource } from '../sync-source.ts';
export { traceSync } from '../trace-sync.ts';
export type { SignalFormat } from '../transports/signal.ts';
export type { WebRtcImplementation } from '../transports/webrtc.ts';
export type { WebSocketClass } from '../transports/websocket-class.ts';
export {
  connectWebSocket,
  type WebSocketSync,
  type WebSocketSyncOptions,
  type WebSocketSyncStatus,
} from '../websocket-sync.ts';
