import type { Page } from 'puppeteer-core';
import { launchBrowser, type TestBrowser } from '../../test/browser/support/launch-browser.ts';
import { type Outcome, reasonOf } from '../child.ts';
import { startSignaling } from '../webrtc/measure.ts';
import { ROWS } from './rows.ts';
import { servePage } from './serve-page.ts';

/** Written before the documents that are measured in bulk: one by one is slow. */
const SINGLE_WRITES = 500;

/** Writes n documents in a page, then opens them in another. */
export function measureLocal(row: string, n: number, limitSeconds: number): Promise<Outcome> {
  return inBrowser(row, limitSeconds, async (browser, url) => {
    const page = await browser.newPage(url);
    await page.evaluate((name) => bench.open(name), 'single');
    const write = (to: number): Promise<number> =>
      page.evaluate((from, end) => bench.putOneByOne(from, end), 0, to);
    // The engine compiles what runs.
    await write(100);
    const singlePerSecond = await write(SINGLE_WRITES);
    await page.evaluate(() => bench.close());
    await page.evaluate((name) => bench.open(name), 'bulk');
    const bulkPerSecond = await page.evaluate((end) => bench.putTogether(0, end), n);
    await page.evaluate(() => bench.close());
    const openMs: number[] = [];
    for (let opening = 0; opening < 3; opening++) {
      await page.reload();
      openMs.push(await page.evaluate((name, count) => bench.reopen(name, count), 'bulk', n));
      await page.evaluate(() => bench.close());
    }
    return { singlePerSecond, bulkPerSecond, openMs: openMs.toSorted((a, b) => a - b)[1]! };
  });
}

/** Two pages with storages of their own: Alice has n documents, Bob nothing. */
export function measureSync(row: string, n: number, limitSeconds: number): Promise<Outcome> {
  return inBrowser(row, limitSeconds, async (browser, url) => {
    const signaling = await startSignaling(ROWS[row]!.signaling);
    try {
      const alice = await browser.newPage(url);
      const bob = await (await browser.newContext()).newPage(url);
      await introduce(alice, bob);
      await introduce(bob, alice);
      for (const page of [alice, bob]) await page.evaluate(() => bench.open('synced'));
      await alice.evaluate((end) => bench.putTogether(0, end), n);
      const before = await cpuMsOf(alice);
      const connecting = [alice, bob].map((page, i) =>
        page.evaluate(
          (role, serverUrl) => bench.connect(role, serverUrl),
          (['alice', 'bob'] as const)[i]!,
          signaling.url,
        ),
      );
      const receiving = connecting[1]!.then(() =>
        within(
          limitSeconds,
          bob.evaluate((count) => bench.receive(count), n),
        ),
      );
      const [ms] = await Promise.all([receiving, ...connecting]);
      return { ms: ms as number, cpuMs: (await cpuMsOf(alice)) - before };
    } finally {
      signaling.child.kill('SIGKILL');
    }
  });
}

/** What all processes of the page's browser have used. */
async function cpuMsOf(page: Page): Promise<number> {
  const session = await page.browser().target().createCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);
}

/** What one page says with `sendText` the other one takes. */
async function introduce(from: Page, to: Page): Promise<void> {
  await from.exposeFunction('sendText', (text: string) =>
    to.evaluate((it) => globalThis.takeText!(it), text),
  );
}

export function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolvePromise, reject) => {
    const timer = setTimeout(() => reject(new Error(`never (limit ${seconds} s)`)), seconds * 1000);
    work.then(resolvePromise, reject).finally(() => clearTimeout(timer));
  });
}

async function inBrowser(
  row: string,
  limitSeconds: number,
  run: (browser: TestBrowser, url: string) => Promise<Record<string, number>>,
): Promise<Outcome> {
  const site = await servePage(ROWS[row]!.page);
  const browser = await launchBrowser('chromium');
  browser.allow(/./);
  try {
    const metrics = await within(limitSeconds * 3, run(browser, site.url));
    return { metrics };
  } catch (error) {
    const reason = reasonOf(error);
    return { error: /never \(limit/.exec(reason) ? reason.replace('Error: ', '') : reason };
  } finally {
    await browser.close();
    site.close();
  }
}
