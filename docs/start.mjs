/**
 * `npm run docs`: makes the API reference, docs/api, of the docstrings. With `--check` it writes nothing
 * and ends with 1 when the reference is not what the docstrings say now. The generator has a package.json
 * of its own, for it reads TypeScript by an older compiler than ours.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackages } from '../scripts/install-packages.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const written = join(folder, 'api');
const isCheck = process.argv.includes('--check');

if (!installPackages(folder)) {
  console.error('docs: npm ci failed, and without the generator there is no reference');
  process.exit(1);
}
const out = isCheck ? mkdtempSync(join(tmpdir(), 'emberlink-api-')) : written;
try {
  const { status } = spawnSync(
    process.execPath,
    [join(folder, 'node_modules/typedoc/bin/typedoc'), '--out', out],
    { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  process.exitCode = status ?? 1;
  if (isCheck && status === 0 && textOf(out) !== textOf(written)) {
    console.error('docs: docs/api is not what the docstrings say: npm run docs');
    process.exitCode = 1;
  }
} finally {
  if (isCheck) rmSync(out, { recursive: true });
}

/** All files of a folder as one text. */
function textOf(path) {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => `${name}\n${readFileSync(join(path, name), 'utf8')}`)
    .join('\n');
}
