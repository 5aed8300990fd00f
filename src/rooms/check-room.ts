import { RoomError } from '../errors.ts';

const MAX_ROOM_BYTES = 256;
const MIN_SECRET_BYTES = 16;

/** @throws RoomError `invalid-option` for an empty or too long name, or a secret that is too short */
export function checkRoom(room: string, secret?: string | Uint8Array): void {
  nameBytes(room);
  if (secret === '') throw new RoomError('invalid-option', 'an empty secret');
  if (secret instanceof Uint8Array && secret.length < MIN_SECRET_BYTES) {
    throw new RoomError(
      'invalid-option',
      `a secret of ${secret.length} bytes; at least ${MIN_SECRET_BYTES}`,
    );
  }
}

/** A room's name as its keys follow from it. @throws RoomError `invalid-option` */
export function nameBytes(room: string): Uint8Array {
  const bytes = new TextEncoder().encode(room.normalize('NFC'));
  if (bytes.length > 0 && bytes.length <= MAX_ROOM_BYTES) return bytes;
  throw new RoomError(
    'invalid-option',
    `a room's name has 1 to ${MAX_ROOM_BYTES} bytes of UTF-8, not ${bytes.length}`,
  );
}
