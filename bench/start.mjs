/**
 * `node bench/start.mjs run|webrtc|browser|game|diff|mesh|signaling …`: installs the other libraries when they are missing,
 * bundles the bench with the library's source as it is, and runs it. Node reads no TypeScript before
 * version 22, and a test runner's transformed code is not what anybody runs in production.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { installPackages } from '../scripts/install-packages.mjs';
import { leanSimplePeer } from '../scripts/lean-simple-peer.mjs';

/** As the package says to bundlers for browsers. */
const noFiles = {
  name: 'no-files',
  setup(bundling) {
    bundling.onLoad({ filter: /storage\/files\.ts$/ }, () => ({ contents: '' }));
  },
};

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const [command, ...args] = process.argv.slice(2);
const commands = {
  run: 'run',
  webrtc: 'webrtc',
  browser: 'browser',
  game: 'game',
  diff: 'diff',
  mesh: 'mesh',
  signaling: 'signaling',
};
if (!Object.hasOwn(commands, command ?? '')) {
  console.error('usage: node bench/start.mjs run|webrtc|browser|game|diff|mesh|signaling …');
  process.exit(2);
}

if (command === 'game') {
  // It is played as the site serves it.
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(1);
} else if (command !== 'signaling' && !installPackages(folder)) {
  // Rows of what is not there say so; the others can still be measured.
  console.error('bench: npm ci failed; what is missing is shown as such');
}

// Several may run at once.
const built = `${folder}.built/${process.pid}`;
const programs = (inFolder) =>
  readdirSync(`${folder}${inFolder}`)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}${inFolder}/${file}`);
await build({
  entryPoints: [...programs('commands'), ...programs('children')],
  outbase: folder,
  outdir: built,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  logLevel: 'error',
});

const pages = { browser: 'browser/pages', game: 'game/pages' }[command];
if (pages !== undefined) {
  await build({
    entryPoints: programs(pages),
    outdir: `${built}/pages`,
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'iife',
    define: { global: 'globalThis' },
    alias: { emberlink: `${root}src/index.ts` },
    plugins: [leanSimplePeer, noFiles],
    logLevel: 'error',
  });
}

const { status } = spawnSync(
  process.execPath,
  ['--enable-source-maps', `${built}/commands/${commands[command]}.mjs`, ...args],
  { stdio: 'inherit' },
);
rmSync(built, { recursive: true, force: true });
process.exit(status ?? 1);
