import { CommanderError } from 'commander';
import { SignalingServerError } from '../../signaling/errors.ts';
import { EmberlinkError, LedgerError, RoomError, StorageError } from '../index.ts';

/** What the command tells the shell. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  locked: 4,
  damaged: 5,
  interrupted: 130,
} as const;

export type CliErrorCode = 'usage' | 'not-found' | 'bad-input' | 'interrupted' | 'output-closed';

/** What can go wrong in the command itself. */
export class CliError extends EmberlinkError<CliErrorCode> {
  override readonly name = 'CliError';
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CliError) return exitCodeOfCliError(error.code);
  if (error instanceof LedgerError) {
    if (error.code === 'locked') return EXIT.locked;
    return error.code === 'invalid-name' || error.code === 'invalid-option'
      ? EXIT.usage
      : EXIT.failed;
  }
  if (error instanceof RoomError) {
    return error.code === 'invalid-option' ? EXIT.usage : EXIT.failed;
  }
  if (error instanceof SignalingServerError) {
    return error.code === 'invalid-setting' ? EXIT.usage : EXIT.failed;
  }
  if (error instanceof StorageError) {
    return error.code === 'corrupt' || error.code === 'missing-block' ? EXIT.damaged : EXIT.failed;
  }
  return EXIT.failed;
}

function exitCodeOfCliError(code: CliErrorCode): number {
  switch (code) {
    case 'usage':
      return EXIT.usage;
    case 'not-found':
      return EXIT.notFound;
    case 'bad-input':
      return EXIT.failed;
    case 'interrupted':
      return EXIT.interrupted;
    case 'output-closed':
      // The reader has seen enough, as in `emberlink list | head`.
      return EXIT.ok;
  }
}

/** What `--json` prints for an error. */
export function describeError(error: unknown): { name: string; code: string; message: string } {
  if (!(error instanceof Error)) return { name: 'Error', code: 'unknown', message: String(error) };
  const { name, message } = error;
  const code = 'code' in error ? String(error.code) : 'unknown';
  return { name, code, message: message.replace(/^error: /, '') };
}
