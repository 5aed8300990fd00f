import { type Block, verifyBlockSoon } from '../blocks.ts';
import { CarReader } from '../car/reader.ts';
import type { ImportReport } from './ledger.ts';

/** How many blocks are handed on at a time. */
const BATCH = 256;

/**
 * Reads a CAR in chunks of any size, and hands on its blocks, whose hashes it has checked.
 * @param take stores blocks; resolves with how many commits were new
 * @throws BlockError for the first block that cannot be, when those before it were handed on
 */
export async function importCar(
  car: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  take: (blocks: readonly Block[]) => Promise<number>,
): Promise<ImportReport> {
  const reader = new CarReader();
  let blocks = 0;
  let added = 0;
  for await (const chunk of car instanceof Uint8Array ? [car] : car) {
    const read = reader.push(chunk);
    blocks += read.length;
    for (let at = 0; at < read.length; at += BATCH) {
      const batch = read.slice(at, at + BATCH);
      const bad = await firstBad(batch);
      added += await take(batch.slice(0, bad?.index));
      if (bad !== undefined) throw bad.error;
    }
  }
  reader.end();
  return { blocks, added };
}

async function firstBad(
  blocks: readonly Block[],
): Promise<{ index: number; error: unknown } | undefined> {
  for (const [index, block] of blocks.entries()) {
    try {
      await verifyBlockSoon(block);
    } catch (error) {
      return { index, error };
    }
  }
  return undefined;
}
