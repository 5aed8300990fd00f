import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSignalingServer, type SignalingServer } from '../../signaling/server.ts';
import { createRoomSecret } from '../../src/index.ts';
import { bundlePage } from './support/bundle-page.ts';
import { BROWSERS } from './support/find-browser.ts';
import { useBrowser } from './support/use-browser.ts';

const PAGE =
  '<!doctype html><link rel="icon" href="data:," /><div id="root"></div><script type="module" src="/react.js"></script>';

let server: SignalingServer;
let url: string;

beforeAll(async () => {
  const program = await bundlePage('examples/react.tsx');
  const pages = (request: IncomingMessage, response: ServerResponse): void => {
    const isProgram = request.url === '/react.js';
    response.setHeader('content-type', isProgram ? 'text/javascript' : 'text/html');
    response.end(isProgram ? program : PAGE);
  };
  const here = { port: 0, host: 'localhost', path: '/signaling', logLevel: 'error' } as const;
  server = createSignalingServer({ ...here, pages });
  url = new URL('/', (await server.listen()).url.replace('ws:', 'http:')).href;
});

afterAll(() => server.close());

describe.each(BROWSERS)('the example of React in %s', (kind) => {
  const browser = useBrowser(kind);

  it('shows two people the same songs, and keeps them', async () => {
    const address = `${url}#${createRoomSecret()}`;
    const alice = await (await browser().newContext()).newPage(address);
    const bob = await (await browser().newContext()).newPage(address);
    await shows(bob, '2 here');
    await alice.locator('::-p-text(New)').click();
    await shows(bob, 'Wildfire: 0');
    await bob.locator('::-p-text(Wildfire: 0)').click();
    await shows(alice, 'Wildfire: 1');
    await alice.reload();
    await shows(alice, 'Wildfire: 1');
  }, 90_000);
});

async function shows(page: Page, text: string): Promise<void> {
  const seen = (): Promise<string> => page.evaluate(() => document.body.innerText);
  await expect.poll(seen, { timeout: 20_000 }).toContain(text);
}
