import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { leanSimplePeer } from '../../../scripts/lean-simple-peer.mjs';

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
    void leanSimplePeer.setup(bundling);
    const { browser, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      browser: Record<string, string | false>;
      exports: Record<string, { types: string }>;
    };
    const absent = new Set(
      Object.entries(browser).flatMap(([built, there]) =>
        there === false ? [built.replace('./dist/', '').replace(/\.js$/, '.ts')] : [],
      ),
    );
    bundling.onResolve({ filter: /^emberlink($|\/)/ }, ({ path }) => {
      const { types } = exports[path.replace('emberlink', '.')] ?? { types: path };
      const source = types.replace('./dist/', '').replace(/\.d\.ts$/, '.ts');
      return { path: join(root, source) };
    });
    bundling.onLoad({ filter: /\.ts$/ }, ({ path }) =>
      absent.has(relative(root, path)) ? { contents: '' } : undefined,
    );
  },
};
