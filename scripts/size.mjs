/**
 * `npm run size`: what a browser loads of this package, as a bundler makes it of `dist` (esbuild,
 * minified), and what it is made of. Ends with 1 when a door has grown over its limit.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Bytes of min + gzip. */
const LIMITS = { 'ledger + Sync + rooms': 94_000, 'emberlink/ledger': 46_000 };

const root = fileURLToPath(new URL('..', import.meta.url));
const { browser } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

const rows = [
  ['emberlink/ledger', "export { openLedger } from 'emberlink/ledger'"],
  ['emberlink/sync', "export { Sync } from 'emberlink/sync'"],
  ['emberlink/room', "export { joinRoom } from 'emberlink/room'"],
  ['ledger + Sync + rooms', "export { openLedger, Sync, joinRoom } from 'emberlink'"],
  ['emberlink, every name', "export * from 'emberlink'"],
];
const measured = new Map();
for (const [title, program] of rows) measured.set(title, await bundle(program));

console.log(row('', 'min', 'gzip', 'brotli', ''));
let isOver = false;
for (const [title, { text }] of measured) {
  const gzip = gzipSync(text, { level: 9 }).length;
  const limit = LIMITS[title];
  const over = limit !== undefined && gzip > limit;
  isOver ||= over;
  const verdict = limit === undefined ? '' : `limit ${kB(limit)}${over ? ': TOO LARGE' : ''}`;
  console.log(row(title, kB(text.length), kB(gzip), kB(brotliCompressSync(text).length), verdict));
}

console.log('\nWhat ledger + Sync + rooms are made of, minified:');
const parts = new Map();
for (const [file, { bytesInOutput }] of measured.get('ledger + Sync + rooms').inputs) {
  const part = partOf(file);
  parts.set(part, (parts.get(part) ?? 0) + bytesInOutput);
}
for (const [part, bytes] of [...parts].sort(([, a], [, b]) => b - a)) {
  if (bytes > 0) console.log(row(part, kB(bytes)));
}
process.exitCode = isOver ? 1 : 0;

/** A program that imports this package by its name, as an app's bundle. */
async function bundle(contents) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  const [output] = Object.values(metafile.outputs);
  return { text: outputFiles[0].contents, inputs: Object.entries(output.inputs) };
}

/** The package that a file is of, or the room of this one. */
function partOf(file) {
  const path = file.split('node_modules/').at(-1);
  if (path !== file)
    return path
      .split('/')
      .slice(0, path.startsWith('@') ? 2 : 1)
      .join('/');
  if (`./${file}` === browser['simple-peer']) return 'simple-peer';
  const room = file.replace(/^dist\//, '').split('/');
  return room.slice(0, Math.min(2, room.length - 1)).join('/');
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

function row(title, ...cells) {
  return title.padEnd(24) + cells.map((cell) => cell.padStart(10)).join('');
}
