import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * Installs what the package.json of a folder names, when it is not there yet. Returns whether it is.
 * @param folder with a slash at its end
 */
export function installPackages(folder) {
  if (existsSync(`${folder}node_modules`)) return true;
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  return status === 0;
}
