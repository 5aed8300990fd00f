import { CID } from 'multiformats/cid';
import { cidOfDigest, DAG_CBOR_CODE, SHA2_256_CODE } from '../../blocks.ts';
import { concatBytes } from '../../bytes.ts';
import { DIGEST_BYTES, sha256 } from '../../sha256.ts';
import { wordAt } from '../../sketch.ts';
import { malformed } from '../violations.ts';

/*
 * Lists of CIDs as they travel and as they are remembered. Nearly every CID of a ledger is a
 * dag-cbor CIDv1 of a SHA-256, so its 32 bytes of digest say all: those lie packed one after the
 * other, and the few others stand beside them in full.
 */

/** The longest CID, in bytes, that a list may hold in full. */
export const MAX_CID_BYTES = 128;

export interface CidList {
  /** SHA-256 digests of dag-cbor CIDs, 32 bytes each, one after the other. */
  readonly digests: Uint8Array;
  /** All other CIDs, as bytes. */
  readonly others: readonly Uint8Array[];
}

/** Packs CIDs; their order among each other is kept only within the two kinds. */
export function packCids(cids: readonly CID[]): CidList {
  const digests: Uint8Array[] = [];
  const others: Uint8Array[] = [];
  for (const cid of cids) {
    if (isCommon(cid)) digests.push(cid.multihash.digest);
    else others.push(cid.bytes);
  }
  return { digests: concatBytes(digests), others };
}

/** @throws ProtocolError `malformed-frame` when one is no CID */
export function unpackCids(list: CidList): CID[] {
  const cids: CID[] = [];
  for (let at = 0; at < list.digests.length; at += DIGEST_BYTES) {
    cids.push(cidOfDigest(list.digests.slice(at, at + DIGEST_BYTES)));
  }
  for (const bytes of list.others) cids.push(decodeCid(bytes));
  return cids;
}

export function countOf(list: CidList): number {
  return list.digests.length / DIGEST_BYTES + list.others.length;
}

/** The shape that `list` must have to be one; what comes from a peer is checked here. */
export function parseCidList(digests: unknown, others: unknown): CidList {
  if (!(digests instanceof Uint8Array) || digests.length % DIGEST_BYTES !== 0) {
    throw malformed('a CID list: its digests are not 32 bytes each');
  }
  if (!Array.isArray(others)) {
    throw malformed('a CID list without its second part');
  }
  return { digests, others: others.map(parseCidBytes) };
}

/**
 * A set of CIDs at 16 bytes each: the first half of their digests in one open-addressing table.
 * The table's hash has a secret seed, since the digests in a peer's list are whatever the peer
 * likes: chosen ones must not all fall into one place.
 */
export class CidSet {
  #slots: Uint32Array = new Uint32Array(64 * 4);
  #size = 0;
  /** The key of four zero words marks a free slot, so that one is remembered apart. */
  #hasZero = false;
  readonly #seed: Uint32Array = crypto.getRandomValues(new Uint32Array(4));

  get size(): number {
    return this.#size;
  }

  add(cid: CID): void {
    this.addKey(keyOf(cid), 0);
  }

  has(cid: CID): boolean {
    const key = keyOf(cid);
    const [a, b, c, d] = [wordAt(key, 0), wordAt(key, 4), wordAt(key, 8), wordAt(key, 12)];
    if ((a | b | c | d) === 0) return this.#hasZero;
    return this.#occupied(this.#find(a, b, c, d));
  }

  addList(list: CidList): void {
    for (let at = 0; at < list.digests.length; at += DIGEST_BYTES) this.addKey(list.digests, at);
    for (const bytes of list.others) this.add(decodeCid(bytes));
  }

  /** Adds the key that begins at `at`. */
  addKey(bytes: Uint8Array, at: number): void {
    this.#insert(
      wordAt(bytes, at),
      wordAt(bytes, at + 4),
      wordAt(bytes, at + 8),
      wordAt(bytes, at + 12),
    );
    if (this.#size * 16 > this.#slots.length * 3) this.#grow();
  }

  #insert(a: number, b: number, c: number, d: number): void {
    if ((a | b | c | d) === 0) {
      if (!this.#hasZero) this.#size++;
      this.#hasZero = true;
      return;
    }
    const slot = this.#find(a, b, c, d);
    if (this.#occupied(slot)) return;
    this.#slots[slot] = a;
    this.#slots[slot + 1] = b;
    this.#slots[slot + 2] = c;
    this.#slots[slot + 3] = d;
    this.#size++;
  }

  /** The slot that holds the key, or the free one where it belongs. */
  #find(a: number, b: number, c: number, d: number): number {
    const slots = this.#slots;
    const mask = slots.length / 4 - 1;
    let place = this.#hash(a, b, c, d) & mask;
    for (;;) {
      const slot = place * 4;
      const same =
        slots[slot] === a &&
        slots[slot + 1] === b &&
        slots[slot + 2] === c &&
        slots[slot + 3] === d;
      if (same || !this.#occupied(slot)) return slot;
      place = (place + 1) & mask;
    }
  }

  #occupied(slot: number): boolean {
    const slots = this.#slots;
    return (slots[slot]! | slots[slot + 1]! | slots[slot + 2]! | slots[slot + 3]!) !== 0;
  }

  #hash(a: number, b: number, c: number, d: number): number {
    const seed = this.#seed;
    let hash = 0;
    hash = mix(hash ^ a ^ seed[0]!);
    hash = mix(hash ^ b ^ seed[1]!);
    hash = mix(hash ^ c ^ seed[2]!);
    return mix(hash ^ d ^ seed[3]!);
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    this.#size = this.#hasZero ? 1 : 0;
    for (let slot = 0; slot < old.length; slot += 4) {
      const [a, b, c, d] = [old[slot]!, old[slot + 1]!, old[slot + 2]!, old[slot + 3]!];
      if ((a | b | c | d) !== 0) this.#insert(a, b, c, d);
    }
  }
}

// --- helpers ---

/** True for a dag-cbor CIDv1 of a SHA-256: its digest says all. */
export function isCommon(cid: CID): boolean {
  return (
    cid.version === 1 &&
    cid.code === DAG_CBOR_CODE &&
    cid.multihash.code === SHA2_256_CODE &&
    cid.multihash.digest.length === DIGEST_BYTES
  );
}

/**
 * Bytes of which the first 16 are the CID's key. Uncommon CIDs are hashed, so that a raw block and a
 * dag-cbor block of equal bytes stay apart.
 */
export function keyOf(cid: CID): Uint8Array {
  return isCommon(cid) ? cid.multihash.digest : sha256(cid.bytes);
}

function parseCidBytes(bytes: unknown): Uint8Array {
  if (!(bytes instanceof Uint8Array) || bytes.length > MAX_CID_BYTES) {
    throw malformed('a CID list holds something that is no CID');
  }
  return bytes;
}

function decodeCid(bytes: Uint8Array): CID {
  try {
    return CID.decode(bytes);
  } catch (cause) {
    throw malformed('a CID list holds something that is no CID', cause);
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
