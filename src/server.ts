export type { Access } from './rooms/handshake.ts';
export {
  serveWebSocket,
  SyncServer,
  type Applicant,
  type ClientStatus,
  type ServedRoom,
  type ServedRoomOptions,
  type ServeWebSocketOptions,
  type SyncClient,
} from './serve-websocket.ts';
