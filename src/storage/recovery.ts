import { type Block, MAX_BLOCK_BYTES, type MaybePromise } from '../blocks.ts';
import { equalBytes } from '../bytes.ts';
import {
  cidAt,
  cidLength,
  MAX_CID_BYTES,
  MAX_FRAME_BODY_BYTES,
  MAX_HEADER_BYTES,
} from '../car/frame.ts';
import { decodeCarHeader } from '../car/header.ts';
import { MAX_VARINT_BYTES, readVarint, varintLength } from '../car/varint.ts';
import { carHeader } from '../car/writer.ts';
import { BlockError, StorageError } from '../errors.ts';
import { DIGEST_BYTES, sha256Soon } from '../sha256.ts';
import { andThen } from './maybe.ts';

/*
 * Reads one segment from front to back and finds every block in it that hashes to its CID, whatever
 * happened to the bytes between them.
 *
 * 1. A block is not believed for where it stands, only for its hash.
 * 2. After bytes that are no block, the next one is looked for by the few bytes that all CIDs of
 *    sha2-256 share, and hashed. So a damaged length hides nothing behind it.
 * 3. The work is linear: the scan hashes at most `failedHashBytes` in vain, then gives the rest up
 *    and says so. Only bytes that were made for this get so far.
 */

/** Bytes read at a time; a longer block is read whole. */
const CHUNK_BYTES = 1024 * 1024;

/** The most that stands before the data of a block. */
const MAX_PREFIX_BYTES = MAX_VARINT_BYTES + MAX_CID_BYTES;

/** The most that stands in a frame before the hash function: length, version, codec of two bytes. */
const MAX_LEAD_BYTES = 4 + 1 + 2;

/** What an attempt costs beside the bytes that it hashes, in bytes hashed. */
const ATTEMPT_COST_BYTES = 64;

export interface FoundBlock extends Block {
  readonly offset: number;
  readonly length: number;
}

export type Finding =
  | { kind: 'blocks'; blocks: FoundBlock[] }
  /** Bytes before a sound block that are neither header nor block. */
  | { kind: 'damage'; offset: number; length: number }
  /**
   * From here to the end there is no block, or only a header; when not `searched`, there may be some
   * but the search was given up.
   */
  | { kind: 'tail'; offset: number; searched: boolean };

/** Up to `length` bytes of the segment from `offset`; fewer only at its end. */
export type ReadBytes = (offset: number, length: number) => MaybePromise<Uint8Array>;

/**
 * What a segment of `size` bytes holds from `from`, which is 0 or a point between two of its blocks.
 * The bytes of the blocks are views of the chunks read.
 * @throws StorageError when the segment cannot be read
 */
export async function* scanSegment(
  readBytes: ReadBytes,
  size: number,
  from: number,
): AsyncGenerator<Finding> {
  const segment = new Window(readBytes, size);
  const budget: Budget = { left: failedHashBytes(size) };
  const header = from === 0 ? await readHeader(segment) : undefined;
  let at = header?.length ?? from;
  let anyBlock = from > 0;
  let batch: FoundBlock[] = [];
  let batchStart = at;

  while (at < size) {
    const frame = wholeFrame(segment, at) ?? (await frameAt(segment, at));
    const verified = frame !== undefined && verifies(segment, frame, budget);
    // Without an await per block where none is needed.
    const sound = verified instanceof Promise ? await verified : verified;
    if (batch.length > 0 && (!sound || at - batchStart >= CHUNK_BYTES)) {
      yield { kind: 'blocks', blocks: batch };
      batch = [];
    }
    if (frame !== undefined && sound) {
      const block = blockIn(segment, frame);
      if (at === header?.length && !equalBytes(header, carHeader([block.cid]))) {
        yield { kind: 'damage', offset: 0, length: header.length };
      }
      anyBlock = true;
      if (batch.push(block) === 1) batchStart = at;
      at = frame.end;
      continue;
    }
    const next = await findFrame(segment, at, frame, budget);
    if (typeof next !== 'number') {
      yield { kind: 'tail', offset: anyBlock ? at : 0, searched: next === 'none' };
      return;
    }
    yield { kind: 'damage', offset: at, length: next - at };
    at = next;
  }
  if (batch.length > 0) yield { kind: 'blocks', blocks: batch };
  if (!anyBlock) yield { kind: 'tail', offset: 0, searched: true };
}

// --- reading ---

/** The part of a segment that is in memory. Positions are those of the segment. */
class Window {
  readonly size: number;
  readonly #readBytes: ReadBytes;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;

  constructor(readBytes: ReadBytes, size: number) {
    this.#readBytes = readBytes;
    this.size = size;
  }

  get end(): number {
    return this.start + this.bytes.length;
  }

  /** True when the bytes, or as many of them as the segment has, can be seen. */
  holds(offset: number, length: number): boolean {
    return offset >= this.start && Math.min(offset + length, this.size) <= this.end;
  }

  async load(offset: number, length: number): Promise<void> {
    const wanted = Math.min(Math.max(length, CHUNK_BYTES), this.size - offset);
    this.bytes = await this.#readBytes(offset, wanted);
    this.start = offset;
    if (this.bytes.length < wanted) {
      throw new StorageError('io', 'a segment became shorter while it was read');
    }
  }

  view(from: number, to: number): Uint8Array {
    return this.bytes.subarray(from - this.start, to - this.start);
  }
}

/** The bytes of the header with its varint; undefined when they are damaged or not all there. */
async function readHeader(segment: Window): Promise<Uint8Array | undefined> {
  await segment.load(0, MAX_VARINT_BYTES + MAX_HEADER_BYTES);
  const length = readVarint(segment.bytes, 0, segment.bytes.length);
  if (length <= 0 || length > MAX_HEADER_BYTES) return undefined;
  const start = varintLength(length);
  if (start + length > segment.size) return undefined;
  try {
    decodeCarHeader(segment.view(start, start + length));
  } catch (error) {
    if (error instanceof BlockError) return undefined;
    throw error;
  }
  return segment.view(0, start + length);
}

// --- frames ---

/** Where the parts of a frame start and end, if its first bytes tell the truth. */
interface Frame {
  readonly start: number;
  readonly cid: number;
  readonly data: number;
  readonly end: number;
}

/** The frame that the bytes at `at` claim to start, whole in the window; undefined if they cannot. */
async function frameAt(segment: Window, at: number): Promise<Frame | undefined> {
  if (!segment.holds(at, MAX_PREFIX_BYTES)) await segment.load(at, MAX_PREFIX_BYTES);
  const frame = claimedFrame(segment, at);
  if (frame !== undefined && !segment.holds(at, frame.end - at)) {
    await segment.load(at, frame.end - at);
  }
  return frame;
}

/** The same without a wait; undefined also when not enough of it is in the window. */
function wholeFrame(segment: Window, at: number): Frame | undefined {
  if (!segment.holds(at, MAX_PREFIX_BYTES)) return undefined;
  const frame = claimedFrame(segment, at);
  return frame !== undefined && segment.holds(at, frame.end - at) ? frame : undefined;
}

function claimedFrame(segment: Window, at: number): Frame | undefined {
  const { bytes, start, size } = segment;
  const length = readVarint(bytes, at - start, bytes.length);
  if (length <= DIGEST_BYTES || length > MAX_FRAME_BODY_BYTES) return undefined;
  const cid = at + varintLength(length);
  const end = cid + length;
  if (end > size) return undefined;
  const cidBytes = cidLength(bytes, cid - start, Math.min(end - start, bytes.length));
  if (typeof cidBytes !== 'number' || length - cidBytes > MAX_BLOCK_BYTES) return undefined;
  return { start: at, cid, data: cid + cidBytes, end };
}

/** Bytes that may be hashed in vain in the scan of a segment: far more than any accident brings. */
function failedHashBytes(size: number): number {
  return 4 * size + 16 * MAX_BLOCK_BYTES;
}

interface Budget {
  left: number;
}

function verifies(segment: Window, frame: Frame, budget: Budget): MaybePromise<boolean> {
  const digest = segment.view(frame.data - DIGEST_BYTES, frame.data);
  return andThen(sha256Soon(segment.view(frame.data, frame.end)), (found) => {
    if (equalBytes(found, digest)) return true;
    budget.left -= frame.end - frame.start + ATTEMPT_COST_BYTES;
    return false;
  });
}

function blockIn(segment: Window, { cid, data, end }: Frame): FoundBlock {
  return {
    cid: cidAt(segment.bytes, cid - segment.start, data - cid),
    bytes: segment.view(data, end),
    offset: data,
    length: end - data,
  };
}

// --- searching ---

/**
 * The start of the next sound frame behind `bad`, at which `claimed` stands if its first bytes are
 * plausible. If only the data is damaged, the next frame stands behind it; it is tried there even
 * with a CID that the search does not know. But the length may be what is damaged, so what it spans
 * is searched first.
 */
async function findFrame(
  segment: Window,
  bad: number,
  claimed: Frame | undefined,
  budget: Budget,
): Promise<number | 'none' | 'gave-up'> {
  if (claimed === undefined) return search(segment, bad + 1, segment.size, budget);
  const within = await search(segment, bad + 1, claimed.end, budget);
  if (within !== 'none' || claimed.end === segment.size) return within;
  const behind = await frameAt(segment, claimed.end);
  if (behind !== undefined && (await verifies(segment, behind, budget))) return claimed.end;
  return search(segment, claimed.end, segment.size, budget);
}

/** The first sound frame in [from, to) that has a CIDv1 with a codec of up to two bytes. */
async function search(
  segment: Window,
  from: number,
  to: number,
  budget: Budget,
): Promise<number | 'none' | 'gave-up'> {
  let next = from;
  while (next < Math.min(to + MAX_LEAD_BYTES, segment.size)) {
    const low = Math.max(from, next - MAX_LEAD_BYTES);
    // All that a plausible frame may need to be seen, so that parsing loads nothing.
    const needed = next - low + MAX_PREFIX_BYTES;
    if (!segment.holds(low, needed)) await segment.load(low, needed);

    const hash = indexOfHash(segment, next);
    if (hash === undefined) {
      if (segment.end === segment.size) return 'none';
      next = segment.end - 1;
      continue;
    }
    const first = Math.max(from, hash - MAX_LEAD_BYTES);
    for (let start = first; start < Math.min(hash - 1, to); start++) {
      if (!segment.holds(start, MAX_PREFIX_BYTES)) await segment.load(first, MAX_PREFIX_BYTES);
      const frame = claimedFrame(segment, start);
      if (frame === undefined || frame.cid === hash) continue;
      if (frame.data !== hash + 2 + DIGEST_BYTES) continue;
      if (budget.left <= 0) return 'gave-up';
      if (!segment.holds(first, frame.end - first)) await segment.load(first, frame.end - first);
      if (await verifies(segment, frame, budget)) return start;
    }
    next = hash + 1;
  }
  return 'none';
}

/** Where a sha2-256 multihash could start, from `from` to the end of the window. */
function indexOfHash({ bytes, start }: Window, from: number): number | undefined {
  for (let at = bytes.indexOf(0x12, from - start); at !== -1; at = bytes.indexOf(0x12, at + 1)) {
    if (bytes[at + 1] === DIGEST_BYTES) return start + at;
  }
  return undefined;
}
