import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BROWSERS, findBrowser } from './support/find-browser.ts';
import { launchBrowser, type TestBrowser } from './support/launch-browser.ts';
import { type Site, serveSite } from './support/serve-site.ts';

let site: Site;

beforeAll(async () => {
  site = await serveSite({ entries: {}, texts: { '/': '<!doctype html><title>blank</title>' } });
});

afterAll(() => site.close());

describe.each(BROWSERS)('what a page of %s complains about', (kind) => {
  let browser: TestBrowser;

  beforeAll(async () => {
    browser = await launchBrowser(kind);
  });

  it('fails the test: console.error, errors and rejections, those in workers too', async () => {
    const page = await browser.newPage(site.url);
    await page.evaluate(() => {
      console.error('odd:', new RangeError('too far'));
      setTimeout(() => {
        throw new Error('thrown');
      });
      void Promise.reject(new Error('unheard'));
      const program = new Blob(["throw new Error('from a worker')"]);
      return new Promise<void>((resolve) => {
        const worker = new Worker(URL.createObjectURL(program));
        worker.onerror = () => resolve();
      });
    });
    let failure = '';
    // What a worker says may come later than what its page does.
    await vi.waitFor(async () => {
      await browser.check().catch((error: Error) => (failure += error.message));
      expect(failure).toMatch(/from a worker/);
    }, 10_000);
    expect(failure).toMatch(/odd:.*too far/);
    expect(failure).toMatch(/thrown/);
    expect(failure).toMatch(/unheard/);
    await browser.clear();
  });

  it('does not fail it where that is allowed, once', async () => {
    const page = await browser.newPage(site.url);
    browser.allow(/no such server/);
    await page.evaluate(() => console.error('no such server'));
    await browser.check();
    await page.evaluate(() => console.error('no such server'));
    await expect(browser.clear()).rejects.toThrow('no such server');
  });

  it('is not lost when the browser closes', async () => {
    const context = await browser.newContext();
    const page = await context.newPage(site.url);
    await page.evaluate(() => console.error('the last word'));
    await expect(browser.close()).rejects.toThrow('the last word');
  });
});

it('says plainly that a browser is not where it was said to be', () => {
  const before = process.env['EMBERLINK_CHROMIUM'];
  process.env['EMBERLINK_CHROMIUM'] = '/nowhere/chromium';
  try {
    expect(() => findBrowser('chromium')).toThrow(
      'EMBERLINK_CHROMIUM names /nowhere/chromium, which is not there',
    );
  } finally {
    if (before === undefined) delete process.env['EMBERLINK_CHROMIUM'];
    else process.env['EMBERLINK_CHROMIUM'] = before;
  }
});
