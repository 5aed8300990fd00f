import type { MaybePromise } from '../blocks.ts';
import { concatBytes } from '../bytes.ts';
import { ProtocolError } from '../errors.ts';
import { nodeBuiltin } from '../node-builtin.ts';
import { malformed } from './violations.ts';

type Zlib = typeof import('node:zlib');

/** Raw DEFLATE (RFC 1951): zlib where the process has it, else the streams of the platform. */
const zlib = nodeBuiltin('zlib') as Zlib | undefined;

/** Three times as fast as zlib's usual level 6, and 4 % larger, on documents. */
const LEVEL = 4;

/** False where neither is there. */
export const canDeflate: boolean =
  zlib !== undefined ||
  (typeof CompressionStream === 'function' && typeof DecompressionStream === 'function');

/**
 * Links that carry less than this, in bytes a millisecond, are slower than deflating is: the platform's
 * streams take three times as long as zlib at our level, and have no other.
 */
export const SLOW_LINK_BYTES_PER_MS: number = zlib === undefined ? 3000 : 8000;

export function deflate(bytes: Uint8Array): MaybePromise<Uint8Array> {
  if (zlib !== undefined) return zlib.deflateRawSync(bytes, { level: LEVEL });
  return through(new CompressionStream('deflate-raw'), bytes, Infinity);
}

/**
 * @param length what it must be when it is inflated, in bytes; no more than that is kept in memory
 * @throws ProtocolError `malformed-frame` when it is anything else
 */
export function inflate(bytes: Uint8Array, length: number): MaybePromise<Uint8Array> {
  if (zlib === undefined) {
    return through(new DecompressionStream('deflate-raw'), bytes, length).then(
      (inflated) => checked(inflated, length),
      (cause: unknown) => {
        throw unlikeTold(cause);
      },
    );
  }
  let inflated: Uint8Array;
  try {
    inflated = zlib.inflateRawSync(bytes, { maxOutputLength: length });
  } catch (cause) {
    throw unlikeTold(cause);
  }
  return checked(inflated, length);
}

function checked(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  throw unlikeTold(new Error(`${bytes.length} bytes instead of ${length}`));
}

function unlikeTold(cause: unknown): ProtocolError {
  return malformed('deflated CAR bytes that are not what they say', cause);
}

async function through(
  stream: CompressionStream | DecompressionStream,
  bytes: Uint8Array,
  limit: number,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter();
  // What goes wrong here goes wrong at the reading end as well, where it is waited for.
  writer.write(bytes as Uint8Array<ArrayBuffer>).catch(() => undefined);
  writer.close().catch(() => undefined);
  const reader = stream.readable.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new Error(`more than ${limit} bytes`);
    }
    parts.push(value);
  }
  return concatBytes(parts);
}
