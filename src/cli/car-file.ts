import { open, rename, rm } from 'node:fs/promises';
import type { Ledger } from '../index.ts';
import { CliError } from './errors.ts';
import { reason } from './input.ts';

/** All commits of a ledger as a CAR, or its documents of now. */
export function chunksOf(ledger: Ledger, snapshot: boolean): AsyncIterable<Uint8Array> {
  return snapshot ? ledger.snapshot() : ledger.export();
}

/**
 * Writes a file that appears, or takes the place of the one before, when it is complete and on disk.
 * @param wrote called after each chunk with the bytes written so far; what it throws ends the work
 * @throws CliError `bad-input` when the file cannot be written
 */
export async function writeCar(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  wrote: (bytes: number) => void,
): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  let bytes = 0;
  try {
    const file = await open(draft, 'w');
    try {
      for await (const chunk of chunks) {
        await file.writeFile(chunk);
        bytes += chunk.length;
        wrote(bytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof Error && 'syscall' in error) {
      throw new CliError('bad-input', `cannot write ${path}: ${reason(error)}`, { cause: error });
    }
    throw error;
  }
}
