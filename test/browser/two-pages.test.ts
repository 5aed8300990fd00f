import type { JSHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ledger } from '../../src/index.ts';
import { BROWSERS } from './support/find-browser.ts';
import { type Site, serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(() => site.close());

describe.each(BROWSERS)('two pages of %s', (kind) => {
  const browser = useBrowser(kind);

  it('sync by an offer and an answer, and then live', async () => {
    const [alicesPage, bobsPage] = [
      await browser().newPage(site.url),
      await browser().newPage(site.url),
    ];
    const alice = await ledgerIn(alicesPage, 'alice');
    const bob = await ledgerIn(bobsPage, 'bob');
    await alice.evaluate((ledger) => ledger.put({ _id: 'song', title: 'Wildfire', plays: 1 }));

    const fromAlice = await alice.evaluateHandle((ledger) => new emberlink.Sync(ledger));
    const fromBob = await bob.evaluateHandle((ledger) => new emberlink.Sync(ledger));
    const offer = await fromAlice.evaluate((sync) => sync.offer());
    const answer = await fromBob.evaluate((sync, text) => sync.accept(text), offer);
    await fromAlice.evaluate((sync, text) => sync.connect(text), answer);
    await fromAlice.evaluate((sync) => sync.synced());
    expect(await bob.evaluate((ledger) => ledger.get('song'))).toMatchObject({ plays: 1 });

    await bob.evaluate((ledger) => ledger.put({ _id: 'song', title: 'Wildfire', plays: 2 }));
    await fromBob.evaluate((sync) => sync.synced());
    expect(await alice.evaluate((ledger) => ledger.get('song'))).toMatchObject({ plays: 2 });
    await fromAlice.evaluate((sync) => sync.close());
  });
});

function ledgerIn(page: Page, name: string): Promise<JSHandle<Ledger>> {
  return page.evaluateHandle((it) => emberlink.openLedger(it, { storage: 'memory' }), name);
}
