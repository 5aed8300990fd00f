import { readFile } from 'node:fs/promises';
import { SignalingServerError } from './errors.ts';

/**
 * What is in the file that a setting names.
 * @param read throws for anything else than what belongs there
 * @throws SignalingServerError `unreadable-file`
 */
export async function readSettingFile<T>(
  setting: string,
  file: string,
  read: (bytes: Buffer) => T,
): Promise<T> {
  try {
    return read(await readFile(file));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SignalingServerError('unreadable-file', `${setting}: cannot use ${file}: ${why}`, {
      setting,
      cause,
    });
  }
}
