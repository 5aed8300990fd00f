import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { CliError } from './errors.ts';

/** Bytes read at a time. */
const CHUNK_BYTES = 256 * 1024;

/** What one argument of the command line may bring by stdin: 16 MiB. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

export interface Input {
  /** For messages. */
  readonly name: string;
  /** Undefined where it cannot be told. */
  readonly bytes: number | undefined;
  readonly stream: Readable;
}

/** Opens a file, or stdin for `-`. */
export async function openInput(path: string): Promise<Input> {
  if (path === '-') return { name: 'stdin', bytes: undefined, stream: process.stdin };
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new CliError('bad-input', `cannot read ${path}: ${reason(cause)}`, { cause });
  });
  const stat = await file.stat();
  if (stat.isDirectory()) {
    await file.close();
    throw new CliError('bad-input', `cannot read ${path}: it is a folder`);
  }
  return {
    name: path,
    bytes: stat.isFile() ? stat.size : undefined,
    stream: createReadStream(path, { fd: file, highWaterMark: CHUNK_BYTES }),
  };
}

/** All of stdin as text. */
export async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_TEXT_BYTES) {
      throw new CliError('bad-input', `stdin has more than ${MAX_TEXT_BYTES} bytes`);
    }
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new CliError('bad-input', 'stdin is not UTF-8', { cause });
  }
}

/** What the system says, without its codes and paths. */
export function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^[A-Z]+: /, '').replace(/, \w+( '.*')?$/, '');
}
