import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'emberlink-bundle-'));

beforeAll(() => {
  // A copy of the package as npm would lay it out, built into its own folder.
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const args = ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')];
  execFileSync(process.execPath, [compiler, ...args]);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true }));

it('a bundle for browsers needs no settings, and keeps a ledger where nothing of Node is', async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { openLedger, Sync, LedgerError } from 'emberlink';
        globalThis.done = (async () => {
          const ledger = await openLedger('page', { storage: 'memory' });
          await ledger.put({ _id: 'a', text: 'naïve' });
          const onDisk = await openLedger('page').catch((error) => error.code);
          return [await ledger.get('a'), typeof Sync, onDisk];
        })();`,
      resolveDir: folder,
    },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    write: false,
    logLevel: 'error',
  });
  const script = outputFiles[0]!.text;

  // What every browser has, and no more.
  const { TextEncoder, TextDecoder, crypto, performance, setTimeout, clearTimeout } = globalThis;
  const web = { TextEncoder, TextDecoder, crypto, performance, setTimeout, clearTimeout };
  const page = vm.createContext({ ...web, queueMicrotask, atob, btoa, URL, Uint8Array });
  vm.runInContext('globalThis.window = globalThis.self = globalThis', page);
  vm.runInContext(script, page);
  const seen: unknown = JSON.parse(JSON.stringify(await (page['done'] as Promise<unknown>)));
  expect(seen).toEqual([{ _id: 'a', text: 'naïve' }, 'function', 'no-storage']);
});
