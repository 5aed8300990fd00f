import { randomBytes } from 'node:crypto';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { forSeeds } from '../support/random.ts';
import { launchBrowser } from './support/launch-browser.ts';
import { Peer } from './support/peer.ts';
import { type Site, serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(() => site.close());

const STORED = { storage: 'indexeddb' } as const;

it(
  'a tab that is killed while it writes loses nothing that was acknowledged',
  () =>
    forSeeds(1, async (random) => {
      const browser = await launchBrowser('chromium');
      onTestFinished(() => browser.close());
      const page = await browser.newPage(site.url);
      const acknowledged = new Set<number>();
      const enough = 50 + random.below(200);
      await new Promise<void>((resolve, reject) => {
        const hear = (number: number): void => {
          acknowledged.add(number);
          if (acknowledged.size === enough) resolve();
        };
        page.exposeFunction('acknowledge', hear).then(() => void write(page), reject);
      });
      await browser.killPages();
      browser.allow(/crashed/);

      const next = await Peer.open(await browser.newPage(site.url), 'killed', STORED);
      const kept = new Set(await next.ids());
      expect([...acknowledged].filter((number) => !kept.has(`doc:${number}`))).toEqual([]);
      await next.put({ _id: 'afterwards' });
    }),
  60_000,
);

/** Writes until its page ends. */
async function write(page: Page): Promise<void> {
  const writing = page.evaluate(async () => {
    const { acknowledge } = globalThis as unknown as { acknowledge: (number: number) => unknown };
    const ledger = await emberlink.openLedger('killed', { storage: 'indexeddb' });
    for (let number = 0; ; number++) {
      await ledger.put({ _id: `doc:${number}`, number });
      void acknowledge(number);
    }
  });
  await writing.catch(() => undefined);
}

const MEGABYTE = 1_000_000;

describe.each([
  ['chromium', 100],
  ['firefox', 40],
] as const)('a page of %s', (kind, documents) => {
  const browser = useBrowser(kind);

  it(`that is loaded anew in a transfer of ${documents} MB goes on where it was`, async () => {
    const alice = await Peer.open('node', 'alice', { storage: 'memory' });
    for (let number = 0; number < documents; number++) {
      await alice.put({ _id: `large:${number}`, data: new Uint8Array(randomBytes(MEGABYTE)) });
    }
    const page = await browser().newPage(site.url);
    const before = await Peer.open(page, 'loaded-anew', STORED);
    await alice.connect(before);
    const received = await before.sync.evaluate(
      (sync, enough) =>
        new Promise<number>((resolve) => {
          sync.subscribe((status) => {
            if (status.state !== 'syncing') return;
            const { blocks } = status.progress.received;
            if (blocks >= enough) resolve(blocks);
          });
        }),
      0.4 * documents,
    );
    await page.reload();

    const bob = await Peer.open(page, 'loaded-anew', STORED);
    const stored = await bob.ledger.evaluate((ledger) => ledger.count());
    expect(stored).toBeGreaterThanOrEqual(received);
    expect(stored).toBeLessThan(documents);
    await alice.connect(bob);
    const asked = await bob.sync.evaluate(
      (sync) =>
        new Promise<number>((resolve) => {
          sync.subscribe((status) => {
            if (status.state !== 'syncing') return;
            const { toReceive } = status.progress;
            if (toReceive.blocks > 0) resolve(toReceive.blocks);
          });
        }),
    );
    expect(asked).toBe(documents - stored);
    await alice.synced();
    expect(await bob.digest()).toBe(await alice.digest());
    await bob.close();
    await alice.close();
  }, 120_000);
});
