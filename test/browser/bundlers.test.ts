import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { serveWebSocket } from '../../src/server.ts';
import { memoryLedger } from '../ledger/support.ts';
import { TestServers } from '../signaling/client.ts';
import { BUNDLERS, bundleOf, installApps } from './support/bundled-apps.ts';
import { serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

const INSTALL_MS = 300_000;
const BUILD_MS = 300_000;

const servers = new TestServers();
let signaling: string;

beforeAll(installApps, INSTALL_MS);

beforeAll(async () => {
  ({ url: signaling } = await servers.start());
});

afterAll(() => servers.close());

describe('the package as it is published', () => {
  const browser = useBrowser('chromium');

  it.each(Object.keys(BUNDLERS))(
    'runs in a page of %s that allows nothing but its own files',
    async (bundler) => {
      const folder = await BUNDLERS[bundler]!();
      for (const text of scriptsOf(folder).filter(isOurs)) {
        expect(withoutFallback(text)).not.toMatch(/\bnode:|\brequire\(|\beval\(|\bnew Function\b/);
        expect(text, 'no streams of Node').not.toMatch(/readableListening/);
      }
      secure(folder);
      const page = await open(folder);
      const shown = await page.waitForSelector('output');
      const text = await shown!.evaluate((output) => output.textContent);
      const { later, ...done } = JSON.parse(text) as { later: number };
      expect(done).toEqual({
        title: 'naïve',
        plays: '1152921504606846976',
        cover: [1, 2],
        met: 'naïve',
        offer: expect.stringMatching(/^\S{50,}$/),
      });
      expect(later > 0, 'what rooms need is loaded when a room is joined').toBe(
        bundler !== 'no bundler',
      );
      expect((await addedGlobals(page)).filter((name) => !isOfBundler(name))).toEqual([]);
    },
    BUILD_MS,
  );

  it('weighs nothing where nothing of it is used', async () => {
    const doors = ['emberlink', 'emberlink/ledger', 'emberlink/sync', 'emberlink/room'];
    expect(await bundleOf(doors.map((door) => `import '${door}';`).join('\n'))).toBe('');
  });

  it('syncs with a server, from a page without a bundler, by the WebSocket there', async () => {
    const ledger = await memoryLedger('server');
    await ledger.put({ _id: 'a', text: 'naïve' });
    const server = await serveWebSocket(ledger, { secret: 'a long passphrase' });
    onTestFinished(() => server.close());
    const page = await open(await BUNDLERS['no bundler']!());
    await page.waitForSelector('output');
    // As text: what a function imports here would be looked for among the modules of the tests.
    const seen = await page.evaluate(`(async () => {
      const { connectWebSocket, openLedger } = await import('/emberlink.js');
      const ledger = await openLedger('client', { storage: 'memory' });
      const sync = connectWebSocket(ledger, '${server.url}', { secret: 'a long passphrase' });
      await sync.backlog();
      await ledger.put({ _id: 'b', from: 'page' });
      await sync.synced();
      await sync.close();
      return [await ledger.get('a'), sync.status];
    })()`);
    expect(seen).toEqual([{ _id: 'a', text: 'naïve' }, { state: 'closed' }]);
    expect(await ledger.get('b')).toEqual({ _id: 'b', from: 'page' });
  });

  it('joins a room as soon as what that needs can be loaded', async () => {
    const folder = await BUNDLERS['esbuild']!();
    const part = filesOf(folder, '.js').find((file) => /start-room/.test(file))!;
    renameSync(part, `${part}.gone`);
    browser().allow(/status of 404/);
    const page = await open(folder);
    await page.waitForResponse((response) => response.status() === 404);
    renameSync(`${part}.gone`, part);
    const shown = await page.waitForSelector('output');
    const text = await shown!.evaluate((output) => output.textContent);
    expect(JSON.parse(text)).toMatchObject({ met: 'naïve' });
  });

  it("runs the README's page", async () => {
    const built = await BUNDLERS['no bundler']!();
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    writeFileSync(join(built, 'index.html'), /```html\n([^]*?)```/.exec(readme)![1]!);
    const page = await open(built);
    await page.waitForFunction(() => document.body.textContent.includes('Fire'));
  });

  /** A page of these files that remembers which globals there were before them. */
  async function open(folder: string): Promise<Page> {
    const site = await serveSite({ entries: {}, folder });
    onTestFinished(() => site.close());
    const page = await browser().newPage('about:blank');
    await page.evaluateOnNewDocument(() => {
      globalsBefore = Object.getOwnPropertyNames(globalThis);
    });
    await page.goto(`${site.url}?signaling=${encodeURIComponent(signaling)}`);
    return page;
  }
});

declare let globalsBefore: string[];

function addedGlobals(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    Object.getOwnPropertyNames(globalThis).filter(
      (name) => name !== 'globalsBefore' && !globalsBefore.includes(name),
    ),
  );
}

/** What their own runtimes add to a page. */
function isOfBundler(name: string): boolean {
  return /^(webpackChunk|TURBOPACK|__NEXT|__next|next$|_N_E|NEXT_|__webpack_|__turbopack)/.test(
    name,
  );
}

function filesOf(folder: string, extension: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => join(folder, name));
}

function scriptsOf(folder: string): string[] {
  return filesOf(folder, '.js').map((file) => readFileSync(file, 'utf8'));
}

/** Not the code of a framework alone: the words of one of our errors are in it, at once or later. */
function isOurs(script: string): boolean {
  return /is no ws: or wss: URL|the room was left because its ledger failed/.test(script);
}

/** Without what webpack's own runtime would do in browsers that know no `globalThis`. */
function withoutFallback(script: string): string {
  return script.replace('try{return this||new Function("return this")()}', '');
}

/** Scripts that a framework writes into its pages are allowed by their hashes, as its docs tell. */
function secure(folder: string): void {
  for (const file of filesOf(folder, '.html')) {
    const html = readFileSync(file, 'utf8');
    const inline = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([^]*?)<\/script>/g)];
    const hashes = inline.map(([, script]) => {
      return `'sha256-${createHash('sha256').update(script!).digest('base64')}'`;
    });
    const policy = `default-src 'none'; connect-src 'self' ws:; script-src 'self' ${hashes.join(' ')}`;
    const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}" />`;
    writeFileSync(file, html.replace(/<head>/, `<head>${meta}`));
  }
}
