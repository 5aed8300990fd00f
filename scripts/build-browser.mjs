/**
 * What a browser gets that Node does not, made of `dist/src`:
 * - dist/browser/simple-peer.js, which bundlers take for `simple-peer`: the package as it is, on a
 *   Duplex of its own size. It brings the streams of Node for a browser, of which nothing is used.
 * - dist/browser/emberlink.js, all doors in one file for pages that have no bundler.
 */
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const STAND_INS = ['buffer', 'debug', 'queue-microtask', 'randombytes', 'readable-stream'];
const root = fileURLToPath(new URL('..', import.meta.url));
const forBrowsers = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
  outdir: 'dist/browser',
};

await build({
  ...forBrowsers,
  stdin: {
    contents: "export { default } from 'simple-peer';",
    sourcefile: 'simple-peer.js',
    resolveDir: root,
  },
  // Not as for a browser, where this package has another file for it: the one that is made here.
  platform: 'neutral',
  mainFields: ['main'],
  alias: Object.fromEntries(
    STAND_INS.map((name) => [name, `${root}scripts/lean-peer/${name}.cjs`]),
  ),
  entryNames: 'simple-peer',
});
await build({
  ...forBrowsers,
  entryPoints: ['dist/src/index.js'],
  platform: 'browser',
  minify: true,
  sourcemap: true,
  entryNames: 'emberlink',
});
