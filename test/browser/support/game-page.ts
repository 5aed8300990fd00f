import type { Page } from 'puppeteer-core';

/** Opens pages: a browser, or a context of it. */
interface Opener {
  newPage(url: string): Promise<Page>;
}

const POLL_MS = 50;

/** The game's page, used by its own controls as people use it. */
export class GamePage {
  readonly page: Page;
  /** Every address that it has asked for. */
  readonly requests: readonly string[];

  private constructor(page: Page, requests: readonly string[]) {
    this.page = page;
    this.requests = requests;
  }

  /** @param prepare what is to be done with the page before it is loaded */
  static async open(
    opener: Opener,
    url: string,
    prepare: (page: Page) => Promise<void> = async () => {},
  ): Promise<GamePage> {
    const page = await opener.newPage('about:blank');
    await prepare(page);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(url);
    const game = new GamePage(page, requests);
    await game.ready();
    return game;
  }

  async ready(): Promise<void> {
    await this.until(() => document.documentElement.dataset['ready'] !== undefined);
  }

  /** Waits for something in the page, which may be a tab in the background. */
  async until(condition: () => boolean): Promise<void> {
    await this.page.waitForFunction(condition, { polling: POLL_MS });
  }

  async click(selector: string): Promise<void> {
    await this.page.bringToFront();
    await this.page.click(selector);
  }

  /** How many tiles one has, by the ranking. */
  async tiles(): Promise<number> {
    return this.page.$eval('.player.me .player-tiles', (tiles) => Number(tiles.textContent));
  }

  /** Waits until one has more tiles than this. */
  async burnsMoreThan(tiles: number): Promise<void> {
    await this.page.waitForFunction(
      (least) =>
        Number(document.querySelector('#ranking .player.me .player-tiles')?.textContent) > least,
      { polling: POLL_MS },
      tiles,
    );
  }

  /** Who plays, best first. */
  async names(): Promise<string[]> {
    return this.page.$$eval('#ranking .player-name', (names) =>
      names.map(({ textContent }) => textContent),
    );
  }

  /** What brings a friend in. */
  async inviteLink(): Promise<string> {
    return this.page.$eval('#invite-link', (input) => (input as HTMLInputElement).value);
  }

  async opens(selector: string): Promise<void> {
    await this.page.waitForSelector(`${selector}:not([hidden])`, { visible: true });
  }

  /** The offer or answer that is to be sent. */
  async given(): Promise<string> {
    await this.opens('#paste-give');
    return this.page.$eval('#paste-text', (input) => (input as HTMLInputElement).value);
  }

  /** Pastes an offer or an answer, and uses it. */
  async paste(text: string): Promise<void> {
    await this.page.$eval(
      '#paste-taken',
      (area, pasted) => ((area as HTMLTextAreaElement).value = pasted),
      text,
    );
    await this.click('#paste-take button');
  }

  /** What the invitation says went wrong. */
  async trouble(): Promise<string> {
    await this.until(() => document.querySelector('#invite-trouble')!.textContent !== '');
    return this.page.$eval('#invite-trouble', ({ textContent }) => textContent);
  }

  /** Until this player is here, too. */
  async sees(name: string): Promise<void> {
    await this.page.waitForFunction(
      (wanted) =>
        [...document.querySelectorAll('.name-tag')].some((tag) => tag.textContent === wanted),
      { polling: POLL_MS },
      name,
    );
  }
}
