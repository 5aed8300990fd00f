import { CborCursor, MAJOR_LIST, MAJOR_TEXT, MAJOR_UNSIGNED } from '../cbor.ts';
import { readSet, readUnset } from './commit.ts';

/**
 * What stands at `at` of a checked page (snapshot.ts): a document of the short form, or a writing of the
 * long one.
 */
export function readWriting(
  page: Uint8Array,
  at: number,
): { setAt: number; setEnd: number; unset: readonly string[] } {
  const cursor = new CborCursor(page, at);
  const parts = cursor.readHead(MAJOR_LIST);
  const short = cursor.isAtHead(MAJOR_TEXT);
  if (short) cursor.readText();
  cursor.readHead(MAJOR_UNSIGNED);
  const { setAt, setEnd } = readSet(cursor);
  return { setAt, setEnd, unset: !short && parts === 3 ? readUnset(cursor, setAt) : [] };
}
