import type { Page } from 'puppeteer-core';

/** What pages and their workers say by `console.error`, throw, or reject with nobody listening. */
export class Complaints {
  readonly #pages = new Set<Page>();
  readonly #said: string[] = [];
  #allowed: RegExp[] = [];

  /** From the next document of the page on. */
  async watch(page: Page): Promise<void> {
    this.#pages.add(page);
    page.on('close', () => this.#pages.delete(page));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      this.#add(`console.error: ${message.text()} (${message.location().url ?? 'nowhere'})`);
    });
    page.on('pageerror', (error) => this.#add(error instanceof Error ? error.stack : error));
    page.on('error', (error) => {
      // It answers no more.
      this.#pages.delete(page);
      this.#add(error.message);
    });
    await page.evaluateOnNewDocument(sayInFull);
  }

  allow(pattern: RegExp): void {
    this.#allowed.push(pattern);
  }

  /** Resolves when what pages have said by now is here. */
  async settled(): Promise<void> {
    const answers = [...this.#pages].map((page) => page.evaluate('0').catch(() => undefined));
    await Promise.all(answers);
  }

  /** @throws Error with all that was said since the last check and is not allowed */
  async check(): Promise<void> {
    await this.settled();
    const allowed = this.#allowed.splice(0);
    const complaints = this.#said
      .splice(0)
      .filter((text) => !allowed.some((pattern) => pattern.test(text)));
    if (complaints.length > 0) throw new Error(`a page complained:\n${complaints.join('\n')}`);
  }

  #add(complaint: unknown): void {
    this.#said.push(String(complaint));
  }
}

/** Lets `console.error` say errors and objects in full: browsers differ in what they report of these. */
function sayInFull(): void {
  const say = console.error;
  console.error = (...values: unknown[]) => {
    const texts = values.map((value) => {
      if (value instanceof Error) return `${value.name}: ${value.message}\n${value.stack}`;
      return typeof value === 'string' ? value : JSON.stringify(value);
    });
    say.call(console, texts.join(' '));
  };
}
