import { encode } from '../dag-cbor.ts';
import type { CID } from 'multiformats/cid';
import { type Block, MAX_BLOCK_BYTES, SHA2_256_CODE } from '../blocks.ts';
import { DIGEST_BYTES } from '../sha256.ts';
import { BlockError } from '../errors.ts';
import { MAX_HEADER_BYTES } from './frame.ts';
import { varintLength, writeVarint } from './varint.ts';

/**
 * The header of a CARv1 with its varint.
 * @throws BlockError `malformed-car` for so many roots that no reader here would take it (about 1,600)
 */
export function carHeader(roots: readonly CID[]): Uint8Array {
  const body = encode({ version: 1, roots });
  if (body.length > MAX_HEADER_BYTES) {
    throw new BlockError('malformed-car', `${roots.length} roots are too many for a CAR header`);
  }
  const header = new Uint8Array(varintLength(body.length) + body.length);
  header.set(body, writeVarint(header, 0, body.length));
  return header;
}

/**
 * A block as it stands in a CAR, in two parts: the varint with the CID, and the block's own bytes.
 * @throws BlockError `block-too-large`, `unsupported-cid`: for what no reader here would take
 */
export function carFrame(block: Block): [prefix: Uint8Array, bytes: Uint8Array] {
  checkBlock(block);
  const prefix = new Uint8Array(carPrefixLength(block));
  writePrefix(prefix, 0, block);
  return [prefix, block.bytes];
}

/** The bytes that a block takes in a CAR before its data. */
export function carPrefixLength(block: Block): number {
  const cidBytes = block.cid.bytes.length;
  return varintLength(cidBytes + block.bytes.length) + cidBytes;
}

/**
 * Many blocks as one piece of a CAR; with `header`, which comes first, the start of one. It is written
 * into `scratch` where that has room for it, else into new bytes.
 * @throws BlockError like `carFrame`
 */
export function carFrames(
  blocks: readonly Block[],
  header?: Uint8Array,
  scratch?: Uint8Array,
): Uint8Array {
  let length = header?.length ?? 0;
  for (const block of blocks) {
    checkBlock(block);
    length += carPrefixLength(block) + block.bytes.length;
  }
  const whole =
    scratch === undefined || scratch.length < length
      ? new Uint8Array(length)
      : scratch.subarray(0, length);
  if (header !== undefined) whole.set(header);
  let at = header?.length ?? 0;
  for (const block of blocks) {
    at = writePrefix(whole, at, block);
    whole.set(block.bytes, at);
    at += block.bytes.length;
  }
  return whole;
}

function writePrefix(target: Uint8Array, at: number, { cid, bytes }: Block): number {
  const next = writeVarint(target, at, cid.bytes.length + bytes.length);
  target.set(cid.bytes, next);
  return next + cid.bytes.length;
}

function checkBlock({ cid, bytes }: Block): void {
  if (bytes.length > MAX_BLOCK_BYTES) {
    throw new BlockError(
      'block-too-large',
      `block ${cid.toString()}: ${bytes.length} bytes are more than ${MAX_BLOCK_BYTES}`,
    );
  }
  const { code, size } = cid.multihash;
  if (code !== SHA2_256_CODE || size !== DIGEST_BYTES) {
    throw new BlockError(
      'unsupported-cid',
      `block ${cid.toString()}: its hash is not a whole sha2-256`,
    );
  }
}
