import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { serveWebSocket } from '../src/server.ts';
import { memoryLedger } from './ledger/support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'emberlink-bundle-'));

beforeAll(() => {
  // A copy of the package as npm would lay it out, built into its own folder.
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  // Without the examples, which import the package that is being built.
  const settings = {
    extends: join(root, 'tsconfig.json'),
    include: [join(root, 'src'), join(root, 'signaling')],
    compilerOptions: { rootDir: root, outDir: join(folder, 'dist') },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  execFileSync(process.execPath, [compiler, '-p', folder]);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program that imports `emberlink` in a page; gives what it leaves in `done`. */
async function inPage(program: string, more: object = {}): Promise<unknown> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: folder },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    write: false,
    logLevel: 'error',
  });
  const script = outputFiles[0]!.text;
  expect(script, 'no server, and no WebSocket of Node').not.toContain('Sec-WebSocket');

  // What every browser has, and no more.
  const { TextEncoder, TextDecoder, crypto, performance, setTimeout, clearTimeout } = globalThis;
  const web = { TextEncoder, TextDecoder, crypto, performance, setTimeout, clearTimeout };
  const page = vm.createContext({ ...web, queueMicrotask, atob, btoa, URL, Uint8Array, ...more });
  vm.runInContext('globalThis.window = globalThis.self = globalThis', page);
  vm.runInContext(script, page);
  return JSON.parse(JSON.stringify(await (page['done'] as Promise<unknown>)));
}

it('a bundle for browsers needs no settings, and keeps a ledger where nothing of Node is', async () => {
  const seen = await inPage(`
        import { openLedger, Sync, LedgerError } from 'emberlink';
        globalThis.done = (async () => {
          const ledger = await openLedger('page', { storage: 'memory' });
          await ledger.put({ _id: 'a', text: 'naïve' });
          const onDisk = await openLedger('page').catch((error) => error.code);
          return [await ledger.get('a'), typeof Sync, onDisk];
        })();`);
  expect(seen).toEqual([{ _id: 'a', text: 'naïve' }, 'function', 'no-storage']);
});

it('a page syncs with a server by its own WebSocket', async () => {
  const ledger = await memoryLedger('server');
  await ledger.put({ _id: 'a', text: 'naïve' });
  const server = await serveWebSocket(ledger, { secret: 'a long passphrase' });
  onTestFinished(() => server.close());
  const program = `
        import { openLedger, connectWebSocket } from 'emberlink';
        globalThis.done = (async () => {
          const ledger = await openLedger('page', { storage: 'memory' });
          const sync = connectWebSocket(ledger, '${server.url}', { secret: 'a long passphrase' });
          await sync.backlog();
          await ledger.put({ _id: 'b', from: 'page' });
          await sync.synced();
          await sync.close();
          return [await ledger.get('a'), sync.status];
        })();`;
  const { AbortController, MessageChannel, setInterval, clearInterval } = globalThis;
  const timers = { setInterval, clearInterval };
  const more = { WebSocket: NodeWebSocket, AbortController, MessageChannel, ...timers };
  expect(await inPage(program, more)).toEqual([{ _id: 'a', text: 'naïve' }, { state: 'closed' }]);
  expect(await ledger.get('b')).toEqual({ _id: 'b', from: 'page' });
});
