import { CborCursor, CborWriter, malformed } from './cbor.ts';
import { DocumentError } from './errors.ts';

/**
 * A value as dag-cbor. Objects of any class become maps of their own fields.
 * @throws DocumentError `invalid-value` for what dag-cbor cannot hold, or is nested more than 64 deep
 */
export function encode(value: unknown): Uint8Array {
  try {
    if (writer.value(value, 0)) return writer.finish();
  } finally {
    // A getter of the value may have thrown.
    writer.reset();
  }
  throw new DocumentError('invalid-value', 'a value that dag-cbor cannot hold');
}

/**
 * The value behind canonical dag-cbor; it shares no memory with the bytes.
 * @throws BlockError `malformed-commit`
 */
export function decode<T = unknown>(bytes: Uint8Array): T {
  const cursor = new CborCursor(bytes);
  cursor.skip();
  if (cursor.at < bytes.length) throw malformed('bytes after the value', cursor.at);
  cursor.at = 0;
  return cursor.readValue() as T;
}

/** Left empty by every use. */
const writer = new CborWriter({ instances: true });
