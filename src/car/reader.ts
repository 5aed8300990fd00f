import type { CID } from 'multiformats/cid';
import { type Block, MAX_BLOCK_BYTES } from '../blocks.ts';
import { BlockError } from '../errors.ts';
import { cidAt, cidLength, MAX_FRAME_BODY_BYTES, MAX_HEADER_BYTES } from './frame.ts';
import { decodeCarHeader, malformed } from './header.ts';
import { MAX_VARINT_BYTES } from './varint.ts';

/** A block of a CAR stream; `offset` and `length` of its data in bytes from the stream's start. */
export interface CarBlock extends Block {
  readonly offset: number;
  readonly length: number;
}

/** Where the reader stands between two chunks. */
type State =
  /** In the varint before a header or frame, of which `count` bytes are read. */
  | { kind: 'length'; value: number; count: number }
  /** In a header or frame that no chunk holds whole; `body` is gathered here. */
  | { kind: 'body'; body: Uint8Array; filled: number };

/**
 * Reads a CARv1 from chunks cut anywhere, in time linear to their bytes, holding at most one block.
 *
 * It does not hash: verify each block (`verifyBlock`). A block's bytes are a view of the chunk when
 * that chunk holds it whole, else a copy of their own; whoever keeps views long keeps their chunks.
 */
export class CarReader {
  #state: State = { kind: 'length', value: 0, count: 0 };
  #roots: readonly CID[] | undefined;
  /** Bytes of all chunks before the present one. */
  #consumed = 0;
  #failure: unknown;

  /** The roots; undefined until the header is complete. */
  get roots(): readonly CID[] | undefined {
    return this.#roots;
  }

  /**
   * Takes the next bytes of the stream and returns the blocks that they complete. After an error the
   * reader is of no more use: it throws the same again.
   * @throws BlockError `malformed-car`, `block-too-large`, `unsupported-cid`
   */
  push(chunk: Uint8Array): CarBlock[] {
    this.#throwFailure();
    try {
      return this.#parse(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** @throws BlockError `malformed-car` when the stream ends before its header, or within a block */
  end(): void {
    this.#throwFailure();
    const atBoundary = this.#state.kind === 'length' && this.#state.count === 0;
    if (this.#roots === undefined) throw malformed('it ends before its header is complete');
    if (!atBoundary) throw malformed('it ends within a block');
  }

  #parse(chunk: Uint8Array): CarBlock[] {
    const blocks: CarBlock[] = [];
    let at = 0;
    while (at < chunk.length) {
      const state = this.#state;
      if (state.kind === 'body') {
        const { body, filled } = state;
        const taken = Math.min(body.length - filled, chunk.length - at);
        body.set(chunk.subarray(at, at + taken), filled);
        state.filled += taken;
        at += taken;
        if (state.filled < body.length) break;
        this.#take(body, 0, body.length, this.#consumed + at - body.length, blocks);
        this.#state = { kind: 'length', value: 0, count: 0 };
        continue;
      }

      let { value, count } = state;
      let complete = false;
      while (!complete && at < chunk.length) {
        const byte = chunk[at++]!;
        value += (byte & 0x7f) * 0x80 ** count++;
        complete = byte < 0x80;
        if (complete && byte === 0 && count > 1) throw malformed('a length is not minimal');
        if (!complete && count === MAX_VARINT_BYTES) throw malformed('a length has no end');
      }
      if (!complete) {
        this.#state = { kind: 'length', value, count };
        break;
      }
      this.#checkLength(value);
      if (value <= chunk.length - at) {
        this.#take(chunk, at, at + value, this.#consumed + at, blocks);
        at += value;
        if (state.count > 0) this.#state = { kind: 'length', value: 0, count: 0 };
      } else {
        this.#state = { kind: 'body', body: new Uint8Array(value), filled: 0 };
      }
    }
    this.#consumed += chunk.length;
    return blocks;
  }

  #checkLength(length: number): void {
    if (length === 0) throw malformed('a header or block has no bytes');
    if (this.#roots === undefined) {
      if (length > MAX_HEADER_BYTES) throw malformed(`its header claims ${length} bytes`);
    } else if (length > MAX_FRAME_BODY_BYTES) {
      throw new BlockError('block-too-large', `a block in a CAR claims ${length} bytes`);
    }
  }

  /** Takes the whole header or frame that lies in `bytes` from `from` to `to`. */
  #take(bytes: Uint8Array, from: number, to: number, position: number, blocks: CarBlock[]): void {
    if (this.#roots === undefined) {
      this.#roots = decodeCarHeader(bytes.subarray(from, to));
      return;
    }
    const cidBytes = cidLength(bytes, from, to);
    if (cidBytes === 'malformed') throw malformed('a block does not start with a CID');
    if (cidBytes === 'unsupported') {
      throw new BlockError('unsupported-cid', 'a block in a CAR: its CID is not of sha2-256');
    }
    const cid = cidAt(bytes, from, cidBytes);
    const length = to - from - cidBytes;
    if (length > MAX_BLOCK_BYTES) {
      throw new BlockError('block-too-large', `block ${cid.toString()}: ${length} bytes in a CAR`);
    }
    const data = bytes.subarray(from + cidBytes, to);
    blocks.push({ cid, bytes: data, offset: position + cidBytes, length });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
