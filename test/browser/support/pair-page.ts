import type { Page } from 'puppeteer-core';
import { expect } from 'vitest';
import { buildSite } from '../../../site/build-site.ts';
import { type RunningSite, startSite } from '../../../site/start-site.ts';
import { fromSources } from './bundle-page.ts';

/** The site as `npm start` serves it, with our sources as they are now. */
export async function startTestSite(host?: string): Promise<RunningSite> {
  return startSite(await buildSite([fromSources]), { port: 0, host });
}

const POLL_MS = 50;
/** Less than any test has: what is there instead is told. */
const SEE_MS = 25_000;

/** Opens pages: a browser, or a context of it. */
interface Opener {
  newPage(url: string): Promise<Page>;
}

/** The pairing page, used by its own controls as people use it. */
export class PairPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(opener: Opener, url: string): Promise<PairPage> {
    return PairPage.at(await opener.newPage('about:blank'), url);
  }

  /** Loads the pairing page into a page that is there. */
  static async at(blank: Page, url: string): Promise<PairPage> {
    await blank.goto(url);
    const page = new PairPage(blank);
    await page.until(() => document.documentElement.dataset['ready'] !== undefined);
    return page;
  }

  /** Makes an offer or, on a page that got one, waits for its answer; gives the link to it. */
  async link(): Promise<string> {
    await this.page.waitForSelector('#give:not([hidden])');
    return this.page.$eval('#give-link', (input) => (input as HTMLInputElement).value);
  }

  async makeOffer(): Promise<string> {
    await this.click('#make-offer');
    return this.link();
  }

  /** Pastes into the field, and uses it. */
  async use(text: string): Promise<void> {
    const field = await this.page.waitForSelector('#take-text');
    await field!.evaluate((area, pasted) => {
      (area as HTMLTextAreaElement).value = pasted;
    }, text);
    await this.click('#use');
  }

  /** Of several tabs of one window, only the first one can be clicked. */
  async click(selector: string): Promise<void> {
    await this.page.bringToFront();
    await this.page.click(selector);
  }

  /** Waits for something in the page, which may be a tab in the background. */
  async until(condition: () => boolean): Promise<void> {
    await this.page.waitForFunction(condition, { polling: POLL_MS });
  }

  /** Until a paired browser has all that is here. */
  async synced(): Promise<void> {
    await this.page.waitForSelector('.peer.same');
  }

  async peerWords(): Promise<string> {
    return this.page.$eval('.peer', (peer) => (peer as HTMLElement).innerText);
  }

  /** What the page says went wrong. */
  async trouble(): Promise<string> {
    const message = await this.page.waitForSelector('#trouble:not([hidden])');
    return message!.evaluate((element) => element.textContent);
  }

  async news(): Promise<string> {
    const message = await this.page.waitForSelector('#news:not([hidden])');
    return message!.evaluate((element) => element.textContent);
  }

  async add(text: string): Promise<void> {
    await this.page.bringToFront();
    await this.page.type('#new-note-text', text);
    await this.page.keyboard.press('Enter');
  }

  /** The notes as they stand, newest first; a done one in brackets. */
  async notes(): Promise<string[]> {
    return this.page.$$eval('.note', (rows) =>
      rows.map((row) => {
        const text = row.querySelector('.note-text')!.textContent;
        return row.querySelector<HTMLInputElement>('.note-done')!.checked ? `[${text}]` : text;
      }),
    );
  }

  /** Waits until the notes are these. */
  async sees(...notes: string[]): Promise<void> {
    await expect.poll(() => this.notes(), { timeout: SEE_MS, interval: POLL_MS }).toEqual(notes);
  }

  /** A part of a note: its `note-done`, `note-edit` or `note-delete`. */
  async clickNote(text: string, part: string): Promise<void> {
    await this.page.bringToFront();
    for (const row of await this.page.$$('.note')) {
      if ((await row.$eval('.note-text', (span) => span.textContent)) !== text) continue;
      return (await row.$(`.${part}`))!.click();
    }
    throw new Error(`there is no note ${text}`);
  }
}
