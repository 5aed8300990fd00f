import { readFile } from 'node:fs/promises';
import { CliError } from './errors.ts';
import { reason } from './input.ts';

export interface SecretFlags {
  readonly secret?: string;
  readonly secretFile?: string;
}

/**
 * The room's secret by flag, from a file, or from EMBERLINK_SECRET; undefined where there is none.
 * @throws CliError `usage` for two of them or an empty one, `bad-input` for a file that cannot be read
 */
export async function readSecret({ secret, secretFile }: SecretFlags): Promise<string | undefined> {
  if (secret !== undefined && secretFile !== undefined) {
    throw new CliError('usage', 'give --secret or --secret-file, not both');
  }
  const text =
    secretFile === undefined
      ? (secret ?? (process.env['EMBERLINK_SECRET'] || undefined))
      : await readLine(secretFile);
  if (text === '') throw new CliError('usage', 'the secret is empty');
  return text;
}

async function readLine(path: string): Promise<string> {
  try {
    // Editors end the last line.
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new CliError('bad-input', `cannot read ${path}: ${reason(cause)}`, { cause });
  }
}
