import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core';
import { Complaints } from './complaints.ts';
import { type BrowserKind, findBrowser } from './find-browser.ts';

export interface LaunchOptions {
  /** A folder that outlives the browser, with all that pages store. Default: a fresh one each time. */
  readonly profile?: string;
  /** Settings of Firefox, as in `about:config`. */
  readonly firefoxPrefs?: Readonly<Record<string, boolean | number | string>>;
  /** More flags of its command line. */
  readonly flags?: readonly string[];
}

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A headless browser without a page. Whoever launches it closes it. */
export async function launchBrowser(
  kind: BrowserKind,
  options: LaunchOptions = {},
): Promise<TestBrowser> {
  const executablePath = findBrowser(kind);
  const profile = options.profile ?? (await mkdtemp(join(tmpdir(), `emberlink-${kind}-`)));
  if (!existsSync(profile)) await mkdir(profile, { recursive: true });
  const removeProfile = async (): Promise<void> => {
    // Its last processes may still write there.
    if (options.profile === undefined) {
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  };
  try {
    const browser = await puppeteer.launch({
      browser: kind === 'chromium' ? 'chrome' : 'firefox',
      executablePath,
      headless: true,
      userDataDir: profile,
      args: [...(kind === 'chromium' ? CHROMIUM_FLAGS : []), ...(options.flags ?? [])],
      extraPrefsFirefox: { ...options.firefoxPrefs },
    });
    return new TestBrowser(kind, browser, removeProfile);
  } catch (error) {
    await removeProfile();
    throw error;
  }
}

/** One storage of a browser, with its pages. */
class PageGroup {
  readonly #context: BrowserContext;
  readonly #complaints: Complaints;

  constructor(context: BrowserContext, complaints: Complaints) {
    this.#context = context;
    this.#complaints = complaints;
  }

  /** A page that has loaded this address. */
  async newPage(url: string): Promise<Page> {
    const page = await this.#context.newPage();
    await this.#complaints.watch(page);
    await page.goto(url);
    return page;
  }
}

/** Pages that share their storage with each other, and with no other group. */
export class TestContext extends PageGroup {
  readonly close: () => Promise<void>;

  constructor(context: BrowserContext, complaints: Complaints) {
    super(context, complaints);
    this.close = async () => {
      await complaints.settled();
      await context.close();
    };
  }
}

/** A browser whose pages may not complain: `close` fails for what they said with `console.error` or threw. */
export class TestBrowser extends PageGroup {
  readonly kind: BrowserKind;
  readonly #browser: Browser;
  readonly #removeProfile: () => Promise<void>;
  readonly #complaints: Complaints;

  constructor(kind: BrowserKind, browser: Browser, removeProfile: () => Promise<void>) {
    const complaints = new Complaints();
    super(browser.defaultBrowserContext(), complaints);
    this.kind = kind;
    this.#browser = browser;
    this.#removeProfile = removeProfile;
    this.#complaints = complaints;
  }

  /** A storage of its own, as in another profile. */
  async newContext(): Promise<TestContext> {
    return new TestContext(await this.#browser.createBrowserContext(), this.#complaints);
  }

  /** Complaints of this kind are expected, until the next `check`. */
  allow(pattern: RegExp): void {
    this.#complaints.allow(pattern);
  }

  /** @throws Error with all that pages complained about since the last check */
  async check(): Promise<void> {
    await this.#complaints.check();
  }

  /** Closes the pages and contexts that are open, then checks. */
  async clear(): Promise<void> {
    await this.#complaints.settled();
    const first = this.#browser.defaultBrowserContext();
    for (const context of this.#browser.browserContexts()) {
      if (context !== first) await context.close();
    }
    // A browser without any page may end.
    const blank = await first.newPage();
    for (const page of await first.pages()) if (page !== blank) await page.close();
    await this.check();
  }

  /** Ends it as a crash would: nothing is flushed. */
  async kill(): Promise<void> {
    const child = this.#browser.process();
    await this.#complaints.settled();
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await this.#removeProfile();
    await this.check();
  }

  /**
   * Ends the processes of all pages of Chromium, which count as complaints: `Page crashed!`. It can have
   * new pages then, and be closed, but not cleared.
   */
  async killPages(): Promise<void> {
    const session = await this.#browser.target().createCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const pages = await this.#browser.pages();
    const crashed = pages.map((page) => new Promise((resolve) => page.once('error', resolve)));
    for (const { type, id } of processInfo) if (type === 'renderer') process.kill(id, 'SIGKILL');
    await Promise.all(crashed);
  }

  /** @throws Error like `check`, when the browser is closed */
  async close(): Promise<void> {
    await this.#complaints.settled();
    await this.#browser.close();
    await this.#removeProfile();
    await this.check();
  }
}
