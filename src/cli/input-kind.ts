import { CliError } from './errors.ts';
import type { JsonLayout } from './json-stream.ts';

/** Enough to tell a CAR: the varint before its header, and the header's first byte. */
const LEAD_BYTES = 11;

/** White space, and the bytes of a byte order mark. */
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]);

/**
 * Tells by its first bytes what a stream holds, and gives it whole, but for leading blanks.
 * @throws CliError `bad-input`
 */
export async function detectKind(
  chunks: AsyncIterator<Uint8Array>,
): Promise<{ kind: JsonLayout | 'car'; all: AsyncGenerator<Uint8Array> }> {
  let lead: Uint8Array = new Uint8Array();
  for (;;) {
    const next = await chunks.next();
    if (next.done !== true) {
      const joined = lead.length === 0 ? next.value : Buffer.concat([lead, next.value]);
      const start = joined.findIndex((byte) => !BLANK.has(byte));
      lead = start === -1 ? new Uint8Array() : joined.subarray(start);
      if (lead.length < LEAD_BYTES) continue;
    }
    return { kind: kindOf(lead), all: chain(lead, chunks) };
  }
}

function kindOf(lead: Uint8Array): JsonLayout | 'car' {
  const header = lead[lead.findIndex((byte) => byte < 0x80) + 1];
  // A CAR's header is a CBOR map of one or two keys; no JSON has these bytes there.
  if (header === 0xa1 || header === 0xa2) return 'car';
  if (lead[0] === '['.charCodeAt(0)) return 'array';
  // No record at all is NDJSON too.
  if (lead[0] === '{'.charCodeAt(0) || lead.length === 0) return 'values';
  throw new CliError('bad-input', 'it is neither a JSON array, nor NDJSON, nor a CAR');
}

async function* chain(
  lead: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (lead.length > 0) yield lead;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
