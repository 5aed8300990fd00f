/** The apps of `test/bundlers`, built against the packed package as their authors would. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';
import * as vite from 'vite';
import { installLocked } from './install-locked.ts';
import { installPacked } from './install-packed.ts';

const sources = fileURLToPath(new URL('../../bundlers', import.meta.url));
/** Kept from run to run, for what npm installs there. */
const apps = fileURLToPath(new URL('../../.built/bundlers', import.meta.url));

/** Each makes a folder to serve, and gives its path. */
export const BUNDLERS: Readonly<Record<string, () => Promise<string>>> = {
  async 'no bundler'() {
    const built = builtFolder('plain');
    const ready = join(apps, 'node_modules/emberlink/dist/browser/emberlink.js');
    copyFileSync(ready, join(built, 'emberlink.js'));
    for (const file of ['plain/index.html', 'plain/main.js', 'try-out.js']) {
      copyFileSync(join(apps, file), join(built, basename(file)));
    }
    return built;
  },

  async esbuild() {
    const built = builtFolder('esbuild');
    await esbuild.build({
      absWorkingDir: join(apps, 'esbuild'),
      entryPoints: ['main.js'],
      bundle: true,
      splitting: true,
      minify: true,
      format: 'esm',
      outdir: built,
      logLevel: 'error',
    });
    copyFileSync(join(apps, 'esbuild/index.html'), join(built, 'index.html'));
    return built;
  },

  async Vite() {
    const outDir = builtFolder('vite');
    const root = join(apps, 'vite');
    await vite.build({ root, configFile: false, logLevel: 'error', build: { outDir } });
    return outDir;
  },

  async webpack() {
    const built = builtFolder('webpack');
    const webpack = createRequire(join(apps, 'package.json'))('webpack') as Webpack;
    const compile = promisify(webpack);
    const stats = await compile({
      mode: 'production',
      context: join(apps, 'webpack'),
      entry: './main.js',
      output: { path: built },
      // It would have a word about anything of more than 244 KiB.
      performance: { hints: false },
    });
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());
    copyFileSync(join(apps, 'webpack/index.html'), join(built, 'index.html'));
    return built;
  },

  async Next() {
    const app = join(apps, 'next');
    const command = join(apps, 'node_modules/next/dist/bin/next');
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' as const };
    await promisify(execFile)(process.execPath, [command, 'build'], { cwd: app, env });
    return join(app, 'out');
  },
};

/** A program of an app, by esbuild. */
export async function bundleOf(program: string): Promise<string> {
  const { outputFiles } = await esbuild.build({
    stdin: { contents: program, resolveDir: apps },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    // That imports which are used for nothing were dropped is told as a warning.
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}

/** The part of webpack that is used here; it is installed with the apps. */
type Webpack = (
  options: object,
  done: (error: Error | null, stats: WebpackStats) => void,
) => unknown;

interface WebpackStats {
  hasErrors(): boolean;
  hasWarnings(): boolean;
  toString(): string;
}

/** @throws Error when npm cannot install them */
export function installApps(): void {
  installLocked(sources, apps);
  installPacked(apps);
}

function builtFolder(app: string): string {
  const folder = join(apps, app, 'built');
  mkdirSync(folder, { recursive: true });
  return folder;
}
