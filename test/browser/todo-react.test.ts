import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSignalingServer, type SignalingServer } from '../../signaling/server.ts';
import { BROWSERS } from './support/find-browser.ts';
import { type Site, serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Within the project, so that its packages are found from there. */
const folder = join(root, 'test/.built/todo-react');
const run = promisify(execFile);
/** A server that was gone is tried again after up to half a minute. */
const WAIT = { timeout: 45_000 };

let signaling: SignalingServer;
let signalingPort: number;
let site: Site;

beforeAll(async () => {
  await startSignaling(0);
  await signaling.close();
  await run('npm', ['run', 'build'], { cwd: root });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  cpSync(join(root, 'examples/todo-react'), folder, {
    recursive: true,
    filter: (path) => !path.endsWith('node_modules'),
  });
  // As npm does it: a link for `file:../..`, and a React that is not that of the clone.
  symlinkSync(root, join(folder, 'node_modules/emberlink'));
  for (const name of ['react', 'react-dom']) {
    const installed = join('node_modules', name);
    cpSync(join(root, installed), join(folder, installed), { recursive: true });
  }
  const env = { ...process.env, VITE_SIGNALING: `ws://localhost:${signalingPort}` };
  for (const [tool, ...args] of [['typescript/bin/tsc'], ['vite/bin/vite.js', 'build']]) {
    await run(process.execPath, [join(root, 'node_modules', tool!), ...args], { cwd: folder, env });
  }
  site = await serveSite({ entries: {}, folder: join(folder, 'dist') });
}, 240_000);

afterAll(async () => {
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => startSignaling(signalingPort));

afterEach(() => signaling.close());

async function startSignaling(port: number): Promise<void> {
  signaling = createSignalingServer({
    port,
    host: 'localhost',
    logLevel: 'error',
    drainSeconds: 0,
  });
  signalingPort = Number(new URL((await signaling.listen()).url).port);
}

describe.each(BROWSERS)('the list of things to do in %s', (kind) => {
  const browser = useBrowser(kind);

  async function open(url: string): Promise<List> {
    const context = await browser().newContext();
    return new List(await context.newPage(url));
  }

  it('is shared by its link: what one does the other sees', async () => {
    const alice = await open(site.url);
    await alice.shows('Nothing to do');
    await alice.add('Buy milk');
    await alice.add('Call Carol');
    const bob = await open(alice.page.url());
    await bob.shows('2 here');
    await alice.shows('2 here');
    await bob.lists('Buy milk', 'Call Carol');

    await bob.add('Feed the cat');
    await alice.lists('Buy milk', 'Call Carol', 'Feed the cat');
    await alice.tick('Buy milk');
    await bob.lists('✓ Buy milk', 'Call Carol', 'Feed the cat');
    await bob.shows('2 of 3 left');

    await bob.page.locator('::-p-text(Call Carol)').click();
    await alice.shows('is being edited');
    await bob.write('Edit: Call Carol', 'Call Dave');
    await alice.lists('✓ Buy milk', 'Call Dave', 'Feed the cat');
    await alice.page.locator('::-p-aria(Delete: Feed the cat)').click();
    await bob.lists('✓ Buy milk', 'Call Dave');
    await bob.page.locator('::-p-text(Clear what is done)').click();
    await alice.lists('Call Dave');
  }, 90_000);

  it('is kept without a network, and tells what two changed at the same time', async () => {
    // Servers that are not there are complained about by the browser itself.
    browser().allow(
      /WebSocket|ERR_CONNECTION_REFUSED|can’t establish a connection|was interrupted/,
    );
    const alice = await open(site.url);
    await alice.add('Buy milk');
    const bob = await open(alice.page.url());
    await bob.lists('Buy milk');
    await signaling.close();
    await bob.page.reload();
    await bob.lists('Buy milk');
    await bob.shows('Offline: kept on this device');

    await bob.edit('Buy milk', 'Buy oat milk');
    await bob.tick('Buy oat milk');
    await alice.edit('Buy milk', 'Buy whole milk');
    await startSignaling(signalingPort);
    await alice.shows('2 here');
    for (const list of [alice, bob]) {
      await list.shows('Two people changed this at the same time. Which one is right?');
      await list.shows('“Buy oat milk”');
      await list.shows('“Buy whole milk”');
    }
    await bob.page.locator('::-p-text(“Buy oat milk”)').click();
    for (const list of [alice, bob]) {
      await list.lists('✓ Buy oat milk');
      await list.showsNo('Two people changed this');
    }
  }, 90_000);
});

/** What people do with the page, and what they see. */
class List {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  async add(title: string): Promise<void> {
    await this.write('New todo', title);
  }

  async tick(title: string): Promise<void> {
    await this.page.locator(`::-p-aria(Done: ${title})`).click();
  }

  async edit(title: string, next: string): Promise<void> {
    // Only the page in front has a focus to give to the field.
    await this.page.bringToFront();
    await this.page.locator(`::-p-text(${title})`).click();
    await this.write(`Edit: ${title}`, next);
  }

  async write(label: string, text: string): Promise<void> {
    const field = this.page.locator(`input[aria-label="${label}"]`);
    await field.fill(text);
    await this.page.keyboard.press('Enter');
  }

  async shows(text: string): Promise<void> {
    await expect.poll(() => this.#text(), WAIT).toContain(text);
  }

  async showsNo(text: string): Promise<void> {
    await expect.poll(() => this.#text(), WAIT).not.toContain(text);
  }

  async lists(...titles: string[]): Promise<void> {
    const seen = (): Promise<string[]> =>
      this.page.$$eval('.todo', (items) =>
        items.map((item) => {
          const isDone = item.querySelector('input')?.checked === true;
          return `${isDone ? '✓ ' : ''}${item.querySelector('.title')?.textContent}`;
        }),
      );
    await expect.poll(seen, WAIT).toEqual(titles);
  }

  #text(): Promise<string> {
    return this.page.evaluate(() => document.body.innerText);
  }
}
