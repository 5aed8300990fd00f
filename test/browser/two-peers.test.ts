import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Peer } from './support/peer.ts';
import { type Site, serveSite } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(() => site.close());

describe('two peers', () => {
  const browsers = { chromium: useBrowser('chromium'), firefox: useBrowser('firefox') };

  async function open(where: keyof typeof browsers | 'node', name: string): Promise<Peer> {
    const page = where === 'node' ? where : await browsers[where]().newPage(site.url);
    return Peer.open(page, name, { storage: 'memory' });
  }

  it.each([
    ['chromium', 'chromium'],
    ['firefox', 'firefox'],
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
    ['chromium', 'node'],
    ['firefox', 'node'],
    ['node', 'firefox'],
  ] as const)('in %s and %s merge what both wrote, then sync live', async (offering, accepting) => {
    const [alice, bob] = [await open(offering, 'alice'), await open(accepting, 'bob')];
    await Promise.all([alice.fill('from-alice', 3000), bob.fill('from-bob', 2000)]);
    await alice.put({ _id: 'both', from: 'alice' });
    await bob.put({ _id: 'both', to: 'bob' });

    await alice.connect(bob);
    await Promise.all([alice.synced(), bob.synced()]);
    expect(await bob.digest()).toBe(await alice.digest());
    expect(await bob.get('both')).toEqual({ _id: 'both', from: 'alice', to: 'bob' });
    expect(await bob.get('from-alice:2999')).toMatchObject({ number: 2999 });
    expect(await alice.get('from-bob:1999')).toMatchObject({ number: 1999 });

    await alice.put({ _id: 'live', by: 'alice' });
    await alice.synced();
    expect(await bob.get('live')).toEqual({ _id: 'live', by: 'alice' });
    await bob.put({ _id: 'live', by: 'bob' });
    await bob.synced();
    expect(await alice.get('live')).toEqual({ _id: 'live', by: 'bob' });

    await alice.close();
    await expect
      .poll(() => bob.sync.evaluate((sync) => sync.status), { timeout: 10_000 })
      .toEqual({ state: 'closed' });
    await bob.close();
  });
});
