/**
 * What a browser gets that Node does not, made of `dist/src`:
 * - dist/browser/simple-peer.js, which bundlers take for `simple-peer`;
 * - dist/browser/emberlink.js, all doors in one file for pages that have no bundler.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { leanSimplePeer } from './lean-simple-peer.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const settings = {
  absWorkingDir: root,
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: 'es2022',
  outdir: 'dist/browser',
  plugins: [leanSimplePeer],
  logLevel: 'warning',
};

await build({
  ...settings,
  stdin: { contents: "export { default } from 'simple-peer';", resolveDir: root },
  entryNames: 'simple-peer',
});
await build({
  ...settings,
  entryPoints: ['dist/src/index.js'],
  entryNames: 'emberlink',
  minify: true,
  sourcemap: true,
});
