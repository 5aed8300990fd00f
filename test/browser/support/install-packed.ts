import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runNpm } from './run-npm.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const SOURCES = [
  'package.json',
  '.npmrc',
  'tsconfig.json',
  'tsconfig.build.json',
  'README.md',
  'scripts',
  'signaling',
  'src',
];

/**
 * Lays the package out in `folder/node_modules` as npm would, without the packages that it needs. It is
 * built and packed in a place of its own, so that nobody else's build is in the way.
 */
export function installPacked(folder: string): void {
  const place = mkdtempSync(join(tmpdir(), 'emberlink-packed-'));
  try {
    for (const name of SOURCES) cpSync(join(root, name), join(place, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'), 'junction');
    runNpm(place, 'pack', '--silent');
    const tarball = readdirSync(place).find((name) => name.endsWith('.tgz'))!;
    const installed = join(folder, 'node_modules', 'emberlink');
    rmSync(installed, { recursive: true, force: true });
    mkdirSync(installed, { recursive: true });
    const untar = ['-xzf', join(place, tarball), '-C', installed, '--strip-components=1'];
    execFileSync('tar', untar);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
