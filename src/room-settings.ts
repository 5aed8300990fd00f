import { RoomError } from './errors.ts';
import type { RoomOptions, RoomStatus } from './room.ts';
import { MAX_INFO_CHARACTERS } from './rooms/card.ts';
import { checkRoom } from './rooms/check-room.ts';
import type { SignalingAdapter } from './rooms/signaling.ts';
import { checkWebSocketUrl } from './transports/websocket-class.ts';

/** What a room is joined with, checked, and as it was at that moment. */
export interface RoomSettings extends Omit<RoomOptions, 'signaling' | 'info'> {
  /** URLs of servers, and adapters. */
  readonly signaling: readonly (string | SignalingAdapter)[];
  /** JSON, or empty. */
  readonly info: string;
}

/** @throws RoomError `invalid-option` */
export function roomSettings(options: RoomOptions): RoomSettings {
  const { secret } = options;
  checkRoom(options.room, secret);
  checkNumbers(options);
  return {
    ...options,
    signaling: signalingOf(options),
    info: infoText(options.info),
    // Whoever gave it may wipe it, long before the room has been loaded that makes keys of it.
    ...(secret instanceof Uint8Array ? { secret: secret.slice() } : {}),
  };
}

/** The status of a room of which nothing has been heard yet. */
export function joiningStatus({ signaling }: RoomSettings): RoomStatus {
  const names = signaling.map((each) => (typeof each === 'string' ? each : each.name));
  return {
    state: 'joining',
    signaling: names.map((name) => ({ name, status: { state: 'connecting' } })),
    error: undefined,
  };
}

function signalingOf({ signaling }: RoomOptions): RoomSettings['signaling'] {
  const all: RoomSettings['signaling'] = Array.isArray(signaling) ? [...signaling] : [signaling];
  if (all.length === 0) throw new RoomError('invalid-option', 'signaling: at least one is needed');
  for (const each of all) if (typeof each === 'string') checkWebSocketUrl(each);
  return all;
}

function checkNumbers({ maxPeers, connectTimeoutMs }: RoomOptions): void {
  if (maxPeers !== undefined && !(Number.isSafeInteger(maxPeers) && maxPeers >= 2)) {
    throw new RoomError('invalid-option', `maxPeers is a whole number from 2 on, not ${maxPeers}`);
  }
  if (connectTimeoutMs !== undefined && !(connectTimeoutMs > 0)) {
    throw new RoomError('invalid-option', `connectTimeoutMs is positive, not ${connectTimeoutMs}`);
  }
}

function infoText(info: unknown): string {
  if (info === undefined) return '';
  const text: unknown = JSON.stringify(info);
  if (typeof text === 'string' && text.length <= MAX_INFO_CHARACTERS) return text;
  throw new RoomError('invalid-option', `info is JSON of up to ${MAX_INFO_CHARACTERS} characters`);
}
