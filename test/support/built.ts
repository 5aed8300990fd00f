import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions } from 'esbuild';

const folder = fileURLToPath(new URL('../.built/', import.meta.url));

/**
 * Makes a program of test/children (`peer.ts`) that Node can run, with its own code bundled and its
 * packages where they are.
 * @returns the path of the program
 */
export async function buildChild(name: string): Promise<string> {
  const { outputFiles } = await build({ ...settings(name), write: false, sourcemap: 'inline' });
  await mkdir(folder, { recursive: true });
  // Test files run side by side and may build the same program: each sees a whole one.
  const program = `${folder}${name.replace(/\.ts$/, '.mjs')}`;
  const draft = `${program}.${randomUUID()}`;
  await writeFile(draft, outputFiles[0]!.contents);
  await rename(draft, program);
  return program;
}

/**
 * Makes a program as `buildChild` does, but of several files, as bundlers make it for pages: what is
 * loaded later lies beside it, under the name of its source.
 * @returns the path of the program, in a folder of its own
 */
export async function buildSplitChild(name: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const outdir = await mkdtemp(join(folder, 'split-'));
  const outExtension = { '.js': '.mjs' };
  await build({ ...settings(name), splitting: true, outdir, outExtension });
  return join(outdir, basename(name).replace(/\.ts$/, '.mjs'));
}

function settings(name: string): BuildOptions {
  return {
    entryPoints: [fileURLToPath(new URL(`../children/${name}`, import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    // Apps use the front door: here it leads to the sources.
    alias: { emberlink: fileURLToPath(new URL('../../src/index.ts', import.meta.url)) },
    logLevel: 'error',
  };
}
