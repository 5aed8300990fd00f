import type { Block } from '../blocks.ts';
import { carFrames } from './writer.ts';

/** Blocks are handed on in chunks of about this size: 256 KiB. */
const CHUNK_BYTES = 256 * 1024;

/** Blocks as frames of a CAR, in chunks of about 256 KiB. */
export async function* carChunks(blocks: AsyncIterable<Block>): AsyncGenerator<Uint8Array> {
  let chunk: Block[] = [];
  let size = 0;
  for await (const block of blocks) {
    chunk.push(block);
    size += block.bytes.length;
    if (size < CHUNK_BYTES) continue;
    yield carFrames(chunk);
    chunk = [];
    size = 0;
  }
  if (chunk.length > 0) yield carFrames(chunk);
}
