import type { CID } from 'multiformats/cid';
import { MAX_BLOCK_BYTES, sha256Cid, SHA2_256_CODE } from '../blocks.ts';
import { DIGEST_BYTES } from '../sha256.ts';
import { MAX_VARINT_BYTES, readVarint, varintLength } from './varint.ts';

/*
 * The inside of a CARv1: a header, then frames. Each is a varint and as many bytes as it says; those
 * of a frame are a CID and the block's data. Here are the bounds, and the way to find a CID in bytes
 * without building one: CIDv1 of any codec and CIDv0, with sha2-256 only.
 */

/** The largest header that is read or written, in bytes without its varint. */
export const MAX_HEADER_BYTES: number = 64 * 1024;

/** Version, codec, hash function, digest length, digest. */
export const MAX_CID_BYTES: number = 1 + MAX_VARINT_BYTES + 2 + DIGEST_BYTES;

/** The most that the varint of a frame may say. */
export const MAX_FRAME_BODY_BYTES: number = MAX_CID_BYTES + MAX_BLOCK_BYTES;

/** A CIDv0 is a bare multihash, and its codec is always dag-pb. */
const CID_V0_BYTES = 2 + DIGEST_BYTES;
const DAG_PB_CODE = 0x70;

/** With a codec of one byte, which all codecs of blocks in a log have. */
const USUAL_CID_BYTES = 4 + DIGEST_BYTES;

/** The length of the CID at `at`, or why there is none before `end`. Its last 32 bytes are the digest. */
export function cidLength(
  bytes: Uint8Array,
  at: number,
  end: number,
): number | 'malformed' | 'unsupported' {
  let length = USUAL_CID_BYTES;
  if (!isSha256(bytes, at + 2) || bytes[at] !== 1 || bytes[at + 1]! >= 0x80) {
    const version = readVarint(bytes, at, end);
    if (version === -1) return 'malformed';
    if (isSha256(bytes, at)) {
      length = CID_V0_BYTES;
    } else {
      if (version !== 1) return 'unsupported';
      const codec = readVarint(bytes, at + 1, end);
      if (codec === -1) return 'malformed';
      const prefix = 1 + varintLength(codec);
      if (at + prefix + 2 > end) return 'malformed';
      if (!isSha256(bytes, at + prefix)) return 'unsupported';
      length = prefix + 2 + DIGEST_BYTES;
    }
  }
  return at + length <= end ? length : 'malformed';
}

/** The CID that `cidLength` found; it shares no memory with `bytes`. */
export function cidAt(bytes: Uint8Array, at: number, length: number): CID {
  const codec = length === CID_V0_BYTES ? DAG_PB_CODE : readVarint(bytes, at + 1, at + length);
  return sha256Cid(codec, bytes, at, length);
}

function isSha256(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === SHA2_256_CODE && bytes[at + 1] === DIGEST_BYTES;
}
