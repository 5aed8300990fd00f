/** What members show and say, as bytes: light, since values are checked before any room is loaded. */
import { decode, encode } from '../dag-cbor.ts';
import { RoomError } from '../errors.ts';
import { MAX_PORT_MESSAGE_BYTES } from '../transports/port-limits.ts';

/** The largest presence value or broadcast message, in bytes of dag-cbor. */
export const MAX_VALUE_BYTES: number = MAX_PORT_MESSAGE_BYTES - 256;

/** @throws RoomError `invalid-option` for what dag-cbor cannot hold, or is too large */
export function encodeValue(value: unknown): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = encode(value);
  } catch (cause) {
    throw new RoomError('invalid-option', 'a value that dag-cbor cannot hold', { cause });
  }
  if (bytes.length <= MAX_VALUE_BYTES) return bytes;
  throw new RoomError(
    'invalid-option',
    `a value of ${bytes.length} bytes; at most ${MAX_VALUE_BYTES}`,
  );
}

/** What a member sent; undefined for nothing, and for what is no dag-cbor. */
export function decodeValue(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}
