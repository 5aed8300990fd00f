/**
 * What a browser gets that Node does not, made of `dist/src`:
 * - dist/browser/simple-peer.js, which bundlers take for `simple-peer`;
 * - dist/browser/portable-cipher.js, a bundle of its own: were its hashes the same files as ours, all
 *   of them would come with the first load;
 * - dist/browser/emberlink.js, all doors in one file for pages that have no bundler.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { leanSimplePeer } from './lean-simple-peer.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The cipher as it was compiled, where the `browser` field would lead to what is made of it here. */
const compiledCipher = {
  name: 'compiled-cipher',
  setup(bundling) {
    bundling.onResolve({ filter: /\/portable-cipher\.js$/ }, () => ({
      path: `${root}dist/src/rooms/portable-cipher.js`,
      sideEffects: false,
    }));
  },
};
/**
 * Loads at once what is loaded later elsewhere, where all is one file anyway: esbuild would wrap each
 * module of it in a function, which makes that file 4 kB larger (min + gzip).
 */
const allAtOnce = {
  name: 'all-at-once',
  setup(bundling) {
    bundling.onLoad({ filter: /[\\/]dist[\\/]src[\\/].*\.js$/ }, async ({ path }) => {
      const imports = [];
      const contents = (await readFile(path, 'utf8')).replace(
        /\bimport\(('\.{1,2}\/[^']+')\)/g,
        (_, from) => {
          const part = `part${imports.length}`;
          imports.push(`import * as ${part} from ${from};`);
          return `Promise.resolve(${part})`;
        },
      );
      // The others are left as they are, empty ones of the `browser` field too.
      return imports.length === 0 ? undefined : { contents: [contents, ...imports].join('\n') };
    });
  },
};
const settings = {
  absWorkingDir: root,
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: 'es2022',
  outdir: 'dist/browser',
  plugins: [leanSimplePeer, compiledCipher],
  logLevel: 'warning',
};

await build({
  ...settings,
  stdin: { contents: "export { default } from 'simple-peer';", resolveDir: root },
  entryNames: 'simple-peer',
});
await build({
  ...settings,
  entryPoints: ['dist/src/rooms/portable-cipher.js'],
});
await build({
  ...settings,
  entryPoints: ['dist/src/index.js'],
  entryNames: 'emberlink',
  plugins: [allAtOnce, ...settings.plugins],
  minify: true,
  sourcemap: true,
});
