import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNpm } from './run-npm.ts';

/**
 * Copies a folder with a `package-lock.json` and installs what that names there, unless it is installed
 * from an earlier time.
 * @throws Error when npm cannot install it
 */
export function installLocked(source: string, copy: string): void {
  mkdirSync(copy, { recursive: true });
  const [wanted, installed] = [source, copy].map((folder) => join(folder, 'package-lock.json'));
  const isInstalled =
    existsSync(join(copy, 'node_modules/.package-lock.json')) &&
    readFileSync(wanted!, 'utf8') === readFileSync(installed!, 'utf8');
  cpSync(source, copy, { recursive: true });
  if (!isInstalled) runNpm(copy, 'ci', '--no-audit', '--no-fund', '--prefer-offline');
}
