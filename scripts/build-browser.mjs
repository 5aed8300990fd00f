/**
 * What a browser gets that Node does not, made of `dist/src`:
 * - dist/browser/simple-peer.js, which bundlers take for `simple-peer`;
 * - dist/browser/portable-cipher.js, a bundle of its own: were its hashes the same files as ours, all
 *   of them would come with the first load;
 * - dist/browser/emberlink.js, all doors in one file for pages that have no bundler.
 */
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
  minify: true,
  sourcemap: true,
});
