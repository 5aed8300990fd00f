import { spawnSync } from 'node:child_process';

/** @throws Error with what npm said */
export function runNpm(folder: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('npm', args, {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  throw new Error(`npm ${args.join(' ')} failed in ${folder}:\n${stdout}\n${stderr}`);
}
