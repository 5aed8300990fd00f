import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const bundles = new Map<string, Promise<string>>();

/**
 * A program for a page, in one module: with our sources as they are now, and as the package is bundled
 * for browsers by its own word. Made once in each process.
 * @param entry the program's path, from the root of the project or absolute
 */
export function bundlePage(entry: string): Promise<string> {
  let bundle = bundles.get(entry);
  if (bundle === undefined) {
    bundle = build({
      absWorkingDir: root,
      entryPoints: [entry],
      bundle: true,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      jsx: 'automatic',
      sourcemap: 'inline',
      write: false,
      logLevel: 'error',
      plugins: [fromSources],
    }).then(({ outputFiles }) => outputFiles[0]!.text);
    bundles.set(entry, bundle);
  }
  return bundle;
}

/** The package's doors lead to its sources, and its `browser` field counts for them as for what is built of them. */
export const fromSources: Plugin = {
  name: 'from-sources',
  setup(bundling) {
    const { browser } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      browser: Record<string, string | false>;
    };
    const absent = new Set(
      Object.entries(browser).flatMap(([built, there]) =>
        there === false ? [built.replace('./dist/', '').replace(/\.js$/, '.ts')] : [],
      ),
    );
    bundling.onResolve({ filter: /^emberlink($|\/)/ }, ({ path }) => {
      const door = path.slice('emberlink'.length).replace(/^$/, '/index');
      const files = [`src${door}.ts`, `src${door}/index.ts`].map((file) => join(root, file));
      return { path: files.find((file) => existsSync(file)) ?? files[0]! };
    });
    bundling.onLoad({ filter: /\.ts$/ }, ({ path }) =>
      absent.has(relative(root, path)) ? { contents: '' } : undefined,
    );
  },
};
