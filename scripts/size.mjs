/**
 * `npm run size`: what a browser loads of this package, as a bundler makes it of `dist` (esbuild,
 * minified), and what that is made of. Ends with 1 when something has grown over its limit.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { browser } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/**
 * Programs, and how many bytes of min + gzip a page of theirs may load at once, and later, when it first
 * needs these modules.
 */
const WHOLE = {
  title: 'ledger + Sync + rooms',
  program: "export { openLedger, Sync, joinRoom } from 'emberlink';",
  limit: 50_000,
  later: {
    title: '  more, when it connects',
    modules: ['later', 'start-room', 'sync-machinery'],
    limit: 60_000,
  },
};
const LEDGER = {
  title: 'emberlink/ledger',
  program: "export { openLedger } from 'emberlink/ledger';",
  limit: 44_000,
  later: {
    title: '  more, for past and peers',
    modules: ['later', 'archive'],
    limit: 14_000,
  },
};
const INSPECTOR = {
  title: 'emberlink/inspector',
  program: "export { mountInspector } from 'emberlink/inspector';",
  limit: 18_000,
};

console.log(row('', 'min', 'gzip', 'brotli'));
const fits = [];
const whole = await bundle(WHOLE.program);
const ledger = await bundle(LEDGER.program);
for (const [{ later, ...program }, { atOnce, laterWith }] of [
  [WHOLE, whole],
  [LEDGER, ledger],
]) {
  const whenNeeded = laterWith(later.modules);
  fits.push(show(program, atOnce), show(later, whenNeeded));
  show({ title: '  together' }, [...atOnce, ...whenNeeded]);
}
show({ title: 'emberlink/sync' }, (await bundle("export { Sync } from 'emberlink/sync';")).atOnce);
show(
  { title: 'emberlink/room' },
  (await bundle("export { joinRoom } from 'emberlink/room';")).atOnce,
);
show({ title: 'emberlink/browser' }, [readFileSync(`${root}dist/browser/emberlink.js`)]);
fits.push(show(INSPECTOR, (await bundle(INSPECTOR.program)).atOnce));

console.log(`\nWhat a page of ${WHOLE.title} loads at once is made of, minified:`);
const bytesByPart = new Map();
for (const [file, bytes] of whole.parts) {
  const part = partOf(file);
  bytesByPart.set(part, (bytesByPart.get(part) ?? 0) + bytes);
}
for (const [part, bytes] of [...bytesByPart].sort(([, a], [, b]) => b - a)) {
  if (bytes > 0) console.log(row(part, kB(bytes)));
}
process.exitCode = fits.every(Boolean) ? 0 : 1;

/**
 * The files of a program that imports this package: those that a page loads at once, and those that it
 * loads when it first needs certain parts, named after their modules.
 */
async function bundle(contents) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root, sourcefile: 'program.js' },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    outdir: '/',
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  const outputs = new Map(Object.entries(metafile.outputs));
  const entryOf = (module) =>
    [...outputs].find(
      ([, { entryPoint }]) => entryPoint && basename(entryPoint, '.js') === module,
    )[0];
  const closure = (...entries) => {
    const names = new Set(entries);
    for (const name of names) {
      for (const { path, kind } of outputs.get(name).imports) {
        if (kind === 'import-statement') names.add(path);
      }
    }
    return names;
  };
  const texts = (names) => {
    const files = new Set([...names].map((name) => basename(name)));
    return outputFiles.filter(({ path }) => files.has(basename(path))).map((file) => file.contents);
  };
  const atOnce = closure(entryOf('program'));
  const inputs = [...atOnce].flatMap((name) => Object.entries(outputs.get(name).inputs));
  return {
    atOnce: texts(atOnce),
    laterWith: (modules) => {
      const names = closure(...modules.map(entryOf));
      return texts([...names].filter((name) => !atOnce.has(name)));
    },
    parts: inputs.map(([file, { bytesInOutput }]) => [file, bytesInOutput]),
  };
}

/** False when it is more than its limit. */
function show({ title, limit }, texts) {
  const sum = (sizeOf) => texts.reduce((bytes, text) => bytes + sizeOf(text), 0);
  const gzip = sum((text) => gzipSync(text, { level: 9 }).length);
  const brotli = sum((text) => brotliCompressSync(text).length);
  const fits = limit === undefined || gzip <= limit;
  const verdict = limit === undefined ? '' : `   limit ${kB(limit)}${fits ? '' : ': TOO LARGE'}`;
  console.log(row(title, kB(sum((text) => text.length)), kB(gzip), kB(brotli)) + verdict);
  return fits;
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
  return title.padEnd(26) + cells.map((cell) => cell.padStart(10)).join('');
}
