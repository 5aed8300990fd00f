/** `emberlink/room`: joins a ledger to all members of a room. */
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
export type { IceServer } from '../../signaling/messages.ts';
export { joinRoom } from '../join-room.ts';
export type { Channel, ChannelHandlers, Frame } from '../protocol/channel.ts';
export type { Amount } from '../protocol/dialect.ts';
export type { Replica, ReplicaHistory } from '../protocol/replica.ts';
export type { SyncProgress } from '../protocol/session.ts';
export type { TracedLack, TraceEvent, TraceFact } from '../protocol/trace.ts';
export type {
  Authorization,
  Room,
  RoomMember,
  RoomOptions,
  RoomPeer,
  RoomStatus,
} from '../room.ts';
export type { Access } from '../rooms/handshake.ts';
export type { Link, LinkAttempt, Linker, LinkOptions, LinkSignal, Port } from '../rooms/link.ts';
export type { PastedLineStatus } from '../rooms/pasted-line.ts';
export {
  PastedSignaling,
  type PastedLine,
  type PastedSignalingOptions,
} from '../rooms/pasted-signaling.ts';
export type { RoomPresence } from '../rooms/presence.ts';
export { roomId } from '../rooms/room-id.ts';
export { createRoomSecret } from '../rooms/room-secret.ts';
export type {
  SignalingAdapter,
  SignalingEvents,
  SignalingJoin,
  SignalingMembership,
  SignalingStatus,
} from '../rooms/signaling.ts';
export type { SyncSource } from '../sync-source.ts';
export { traceSync } from '../trace-sync.ts';
export type { WebRtcImplementation, WebRtcOptions } from '../transports/webrtc.ts';
export type { WebSocketClass } from '../transports/websocket-class.ts';
