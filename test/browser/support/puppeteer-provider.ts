import { defineBrowserProvider } from '@vitest/browser';
import type {
  BrowserCommand,
  BrowserProvider,
  BrowserProviderOption,
  TestProject,
} from 'vitest/node';
import { BROWSERS, type BrowserKind } from './find-browser.ts';
import { launchBrowser, type TestBrowser } from './launch-browser.ts';

/** Lets vitest run test files within our browsers, by puppeteer. */
export function puppeteerProvider(): BrowserProviderOption {
  return defineBrowserProvider({
    name: 'puppeteer',
    supportedBrowser: BROWSERS,
    options: {},
    providerFactory: (project) => new PuppeteerProvider(project),
  });
}

class PuppeteerProvider implements BrowserProvider {
  readonly name = 'puppeteer';
  /** One page after the other: the machine has other things to do. */
  readonly supportsParallelism = false;
  readonly #kind: BrowserKind;
  #browser: Promise<TestBrowser> | undefined;

  constructor(project: TestProject) {
    this.#kind = project.config.browser.name as BrowserKind;
  }

  getCommandsContext(): Record<string, unknown> {
    return {};
  }

  async openPage(_sessionId: string, url: string): Promise<void> {
    this.#browser ??= launchBrowser(this.#kind);
    await (await this.#browser).newPage(url);
  }

  /** @throws Error with what the page complained about since the last check */
  async check(): Promise<void> {
    await (await this.#browser)?.check();
  }

  async close(): Promise<void> {
    await (await this.#browser)?.close();
  }
}

/** For tests within a browser: fails for what its console and its uncaught errors say. */
export const checkComplaints: BrowserCommand<[]> = async ({ provider }) => {
  if (provider instanceof PuppeteerProvider) await provider.check();
};
