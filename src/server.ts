/** The door for servers, in Node: `emberlink/server`. */
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
export { SignalingServerError, type SignalingServerErrorCode } from '../signaling/errors.ts';
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
