import { CID } from 'multiformats/cid';
import { Digest } from 'multiformats/hashes/digest';
import { equalBytes } from './bytes.ts';
import { BlockError } from './errors.ts';
import { DIGEST_BYTES, sha256, sha256Soon } from './sha256.ts';

/** A value now or later: local storage answers at once where it can, so hot paths stay synchronous. */
export type MaybePromise<T> = T | Promise<T>;

/** Content-addressed bytes: `cid` names them by their hash. */
export interface Block {
  readonly cid: CID;
  readonly bytes: Uint8Array;
}

export const DAG_CBOR_CODE = 0x71;
export const SHA2_256_CODE = 0x12;

/** The largest block, in bytes, that any part of emberlink stores, sends or takes: 2 MiB. */
export const MAX_BLOCK_BYTES: number = 2 * 1024 * 1024;

/** The CIDv1 of dag-cbor bytes. */
export function blockOf(bytes: Uint8Array): Block {
  return { cid: cidOfDigest(sha256(bytes)), bytes };
}

/** The dag-cbor CIDv1 whose SHA-256 digest is `digest`. */
export function cidOfDigest(digest: Uint8Array): CID {
  const bytes = new Uint8Array(36);
  bytes.set(DAG_CBOR_PREFIX);
  bytes.set(digest, 4);
  return sha256Cid(DAG_CBOR_CODE, bytes, 0, 36);
}

/**
 * A CID of sha2-256 out of its `length` bytes at `at`, which are copied: 34 bytes are a CIDv0, more a
 * CIDv1 of `codec`. A CID consists of three views. Many of them on one buffer are made ten times as
 * fast as with a buffer for each, at the price that a CID which is kept keeps some hundred others'.
 */
export function sha256Cid(codec: number, bytes: Uint8Array, at: number, length: number): CID {
  if (slab.byteLength - slabUsed < length) {
    slab = new ArrayBuffer(SLAB_BYTES);
    slabUsed = 0;
  }
  const own = new Uint8Array(slab, slabUsed, length);
  for (let i = 0; i < length; i++) own[i] = bytes[at + i]!;
  slabUsed += length;
  const multihash = new Uint8Array(slab, slabUsed - DIGEST_BYTES - 2, DIGEST_BYTES + 2);
  const digest = new Uint8Array(slab, slabUsed - DIGEST_BYTES, DIGEST_BYTES);
  const hash = new Digest(SHA2_256_CODE, DIGEST_BYTES, digest, multihash);
  return new CID(length === DIGEST_BYTES + 2 ? 0 : 1, codec, hash, own);
}

const DAG_CBOR_PREFIX = Uint8Array.of(1, DAG_CBOR_CODE, SHA2_256_CODE, DIGEST_BYTES);
const SLAB_BYTES = 4096;
let slab = new ArrayBuffer(0);
let slabUsed = 0;

/** Throws a BlockError unless the bytes hash to the CID: SHA-256 only, any codec, CIDv0 or v1. */
export function verifyBlock(block: Block): void {
  checkHashFunction(block);
  checkDigest(block, sha256(block.bytes));
}

/** The same, later where that is faster. */
export function verifyBlockSoon(block: Block): MaybePromise<void> {
  checkHashFunction(block);
  const digest = sha256Soon(block.bytes);
  if (digest instanceof Promise) return digest.then((later) => checkDigest(block, later));
  return checkDigest(block, digest);
}

function checkHashFunction(block: Block): void {
  const { multihash } = block.cid;
  if (multihash.code !== SHA2_256_CODE) {
    throw new BlockError(
      'unsupported-cid',
      `block ${block.cid}: its hash function 0x${multihash.code.toString(16)} is not sha2-256`,
    );
  }
}

function checkDigest(block: Block, digest: Uint8Array): void {
  if (!equalBytes(digest, block.cid.multihash.digest)) {
    throw new BlockError('hash-mismatch', `block ${block.cid}: its bytes hash to something else`);
  }
}
