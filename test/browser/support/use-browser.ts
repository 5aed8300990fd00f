import { afterAll, afterEach, beforeAll } from 'vitest';
import type { BrowserKind } from './find-browser.ts';
import { launchBrowser, type LaunchOptions, type TestBrowser } from './launch-browser.ts';

/**
 * One browser for the tests of a suite: it is launched before them. After each of them its pages are
 * closed, and the test fails when one of them has complained.
 */
export function useBrowser(kind: BrowserKind, options?: LaunchOptions): () => TestBrowser {
  let browser: TestBrowser | undefined;
  beforeAll(async () => {
    browser = await launchBrowser(kind, options);
  });
  afterEach(() => browser?.clear());
  afterAll(() => browser?.close());
  return () => {
    if (browser === undefined) throw new Error('the browser is launched before the first test');
    return browser;
  };
}
