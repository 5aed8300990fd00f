import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSignalingServer, type SignalingServer } from '../../signaling/server.ts';
import { createRoomSecret } from '../../src/index.ts';
import { bundlePage } from './support/bundle-page.ts';
import { BROWSERS } from './support/find-browser.ts';
import { useBrowser } from './support/use-browser.ts';

const PAGE =
  '<!doctype html><link rel="icon" href="data:," /><body><script type="module" src="/inspector.js"></script>';
/** No style but what scripts of this origin make, and nothing evaluated. */
const POLICY =
  "default-src 'none'; script-src 'self'; connect-src 'self' ws://localhost:*; img-src data:";

let server: SignalingServer;
let url: string;

beforeAll(async () => {
  const program = await bundlePage('examples/inspector.ts');
  const pages = (request: IncomingMessage, response: ServerResponse): void => {
    const isProgram = request.url === '/inspector.js';
    response.setHeader('content-type', isProgram ? 'text/javascript' : 'text/html');
    response.setHeader('content-security-policy', POLICY);
    response.end(isProgram ? program : PAGE);
  };
  const here = { port: 0, host: 'localhost', path: '/signaling', logLevel: 'error' } as const;
  server = createSignalingServer({ ...here, pages });
  url = new URL('/', (await server.listen()).url.replace('ws:', 'http:')).href;
});

afterAll(() => server.close());

describe.each(BROWSERS)('the example of the inspector in %s', (kind) => {
  const browser = useBrowser(kind);

  it('shows two people what happens between them, under a strict policy', async () => {
    const address = `${url}#${createRoomSecret()}`;
    const alice = await (await browser().newContext()).newPage(address);
    await shows(alice, 'alone, 0 peers');
    const bob = await (await browser().newContext()).newPage(address);
    for (const page of [alice, bob]) {
      await shows(page, 'live, 1 peer');
      await shows(page, '2 commits, 2 heads');
      await shows(page, '1 block only here: all sent');
      await shows(page, '1 document: song:1');
    }
    // A style sheet that the policy refused would leave it white.
    const background = await alice.$eval(
      'emberlink-inspector',
      (inspector) => getComputedStyle(inspector).backgroundColor,
    );
    expect(background).toBe('rgb(18, 14, 11)');
  }, 90_000);
});

async function shows(page: Page, text: string): Promise<void> {
  const seen = (): Promise<string> =>
    page.$eval('emberlink-inspector', ({ shadowRoot }) =>
      Array.from(shadowRoot!.children, (child) => (child as HTMLElement).innerText).join(),
    );
  await expect.poll(seen, { timeout: 20_000 }).toContain(text);
}
