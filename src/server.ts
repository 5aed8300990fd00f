/**
 * The door for servers, in Node.
 * @module emberlink/server
 */
export {
  createSignalingServer,
  type Addresses,
  type SignalingServer,
  type SignalingServerOptions,
  type SignalingStats,
} from '../signaling/server.ts';
export type {
  Broker,
  BrokerCounts,
  BrokerListener,
  MemberAt,
  RoomWord,
  ServerWord,
} from '../signaling/broker.ts';
export type { UpgradeRefusal } from '../signaling/counts.ts';
export { SignalingServerError, type SignalingServerErrorCode } from '../signaling/errors.ts';
export type { SignalingErrorCode } from '../signaling/messages.ts';
export type { AuthKind, LogLevel, SignalingSettings } from '../signaling/settings.ts';
export type { Authorization } from './room.ts';
export type { Access } from './rooms/handshake.ts';
export {
  serveWebSocket,
  type Applicant,
  type ClientStatus,
  type ServedRoom,
  type ServedRoomOptions,
  type ServeWebSocketOptions,
  type SyncClient,
  type SyncServer,
} from './serve-websocket.ts';
