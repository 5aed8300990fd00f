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
