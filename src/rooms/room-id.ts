import { base64url } from 'multiformats/bases/base64';
import { concatBytes } from '../bytes.ts';
import { sha256 } from '../sha256.ts';
import { nameBytes } from './check-room.ts';

/** What the signaling servers call a room: its name's hash, as 43 characters of base64url. */
export async function roomId(room: string): Promise<string> {
  return base64url.baseEncode(sha256(lengthPrefixed(['emberlink room 1', nameBytes(room)])));
}

/** The parts one after the other, the length of each in 4 bytes before it. */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Uint8Array {
  return concatBytes(
    parts.flatMap((part) => {
      const bytes = typeof part === 'string' ? new TextEncoder().encode(part) : part;
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, bytes.length);
      return [length, bytes];
    }),
  );
}
