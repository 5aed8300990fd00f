import type { InspectorElement } from 'emberlink/inspector';
import type { ElementHandle, KeyInput, Page } from 'puppeteer-core';
import type { Ledger } from '../../../src/index.ts';

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
  #held: readonly KeyInput[] = [];

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
  async until<Args extends unknown[]>(
    condition: (...args: Args) => boolean,
    ...args: Args
  ): Promise<void> {
    const run = condition as (...args: unknown[]) => boolean;
    await this.page.waitForFunction(run, { polling: POLL_MS }, ...args);
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
    await this.until(
      (least) =>
        Number(document.querySelector('#ranking .player.me .player-tiles')?.textContent) > least,
      tiles,
    );
  }

  /** Holds these keys, and lets go of those before. */
  async steer(...keys: KeyInput[]): Promise<void> {
    for (const key of this.#held) if (!keys.includes(key)) await this.page.keyboard.up(key);
    for (const key of keys) if (!this.#held.includes(key)) await this.page.keyboard.down(key);
    this.#held = keys;
  }

  async rename(name: string): Promise<void> {
    await this.click('#settings-button');
    await this.page.$eval('#name', (input) => ((input as HTMLInputElement).value = ''));
    await this.page.type('#name', name);
    await this.page.keyboard.press('Enter');
    await this.until(
      (wanted) => document.querySelector('#ranking .me .player-name')?.textContent === wanted,
      name,
    );
    await this.click('#settings .close');
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
    await this.until(
      (wanted) =>
        [...document.querySelectorAll('.name-tag')].some((tag) => tag.textContent === wanted),
      name,
    );
  }

  /** Until this player's spark, which is here, is somewhere else. */
  async seesMoving(name: string): Promise<void> {
    const tag = (await this.page.waitForFunction(
      (wanted) =>
        [...document.querySelectorAll('.name-tag')].find(
          ({ textContent }) => textContent === wanted,
        ),
      { polling: POLL_MS },
      name,
    )) as ElementHandle<HTMLElement>;
    const before = await tag.evaluate(({ style }) => style.transform);
    await this.page.waitForFunction(
      ({ isConnected, style }, there) => isConnected && style.transform !== there,
      { polling: POLL_MS },
      tag,
      before,
    );
  }

  /** How many tiles each has, by the ranking. */
  async tilesByName(): Promise<Record<string, number>> {
    return this.page.$$eval('#ranking .player', (rows) =>
      Object.fromEntries(
        rows.map((row) => [
          row.querySelector('.player-name')!.textContent,
          Number(row.querySelector('.player-tiles')!.textContent),
        ]),
      ),
    );
  }

  /** Until somebody has more tiles here than before, or another round has begun. */
  async seesBurning(name: string): Promise<void> {
    const { [name]: before = 0 } = await this.tilesByName();
    await this.until(
      (wanted, least) =>
        [...document.querySelectorAll('#ranking .player')].some(
          (row) =>
            row.querySelector('.player-name')!.textContent === wanted &&
            Number(row.querySelector('.player-tiles')!.textContent) > least,
        ),
      name,
      before,
    );
  }

  /** The number of the round that is played now; undefined between two. */
  async round(): Promise<number | undefined> {
    const words = await this.page.$eval('#clock-round', ({ textContent }) => textContent);
    const [, number] = /^Round (\d+)$/.exec(words) ?? [];
    return number === undefined ? undefined : Number(number);
  }

  /** Until a round is played of which so much is left; its number. */
  async roundWithSeconds(least: number): Promise<number> {
    await this.until((wanted) => {
      const [minutes, seconds] = document
        .querySelector('#clock-time')!
        .textContent.split(':')
        .map(Number);
      const isPlayed = document.querySelector('#clock-round')!.textContent.startsWith('Round');
      return isPlayed && 60 * minutes! + seconds! >= wanted;
    }, least);
    return (await this.round())!;
  }

  /** Until this round is over. */
  async isOver(round: number): Promise<void> {
    await this.until(
      (words) => document.querySelector('#clock-round')!.textContent !== words,
      `Round ${round}`,
    );
  }

  /** What the list of all rounds says, newest first. */
  async results(): Promise<string[]> {
    // On small screens the way there leads through the settings.
    await this.click('#settings-button');
    await this.click('#settings-results');
    await this.page.waitForSelector('#results[open]');
    const words = await this.page.$$eval('#rounds .round-words', (rows) =>
      rows.map(({ textContent }) => textContent),
    );
    await this.click('#results .close');
    return words;
  }

  /** Whose each tile of a round is by the ledger: names by chunk and place. */
  async field(round: number): Promise<Record<string, string>> {
    return this.inside(async (ledger, number) => {
      const prefix = `tiles:${String(number).padStart(6, '0')}:`;
      const players = await ledger.allDocs({ prefix: 'player:' });
      const names = new Map(
        players.rows.map(({ id, doc }) => [id.slice('player:'.length), doc?.['name'] as string]),
      );
      const field: Record<string, string> = {};
      for (const { id, doc } of (await ledger.allDocs({ prefix })).rows) {
        for (const [place, player] of Object.entries(doc ?? {})) {
          if (place === '_id') continue;
          field[`${id.slice(prefix.length)}/${place}`] = names.get(player as string)!;
        }
      }
      return field;
    }, round);
  }

  /** Opens the inspector, looks into the ledger that it shows, and closes it. */
  async inside<Args extends unknown[], Result>(
    look: (ledger: Ledger, ...args: Args) => Promise<Result>,
    ...args: Args
  ): Promise<Result> {
    await this.click('#inspector-button');
    const inspector = (await this.page.waitForSelector('emberlink-inspector'))!;
    const ledger = await inspector.evaluateHandle(
      (element) => (element as InspectorElement).ledger!,
    );
    const run = look as (ledger: Ledger, ...args: unknown[]) => Promise<Result>;
    const seen = (await ledger.evaluate(run, ...args)) as Result;
    await this.click('#inspector-close');
    return seen;
  }
}
