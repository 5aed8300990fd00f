import { randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Makes a program of test/children (`peer.ts`) that Node can run, with its own code bundled and its
 * packages where they are.
 * @returns the path of the program
 */
export async function buildChild(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../children/${name}`, import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    // Apps use the front door: here it leads to the sources.
    alias: { emberlink: fileURLToPath(new URL('../../src/index.ts', import.meta.url)) },
    write: false,
    logLevel: 'error',
    sourcemap: 'inline',
  });
  const folder = fileURLToPath(new URL('../.built/', import.meta.url));
  await mkdir(folder, { recursive: true });
  // Test files run side by side and may build the same program: each sees a whole one.
  const program = `${folder}${name.replace(/\.ts$/, '.mjs')}`;
  const draft = `${program}.${randomUUID()}`;
  await writeFile(draft, outputFiles[0]!.contents);
  await rename(draft, program);
  return program;
}
