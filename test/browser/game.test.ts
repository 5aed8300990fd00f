/** The game's page as one person meets it: alone, by keyboard, by finger, on a small screen, with sound or without. */
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { buildGame } from '../../site/build-site.ts';
import { type RunningSite, startSite } from '../../site/start-site.ts';
import { fromSources } from './support/bundle-page.ts';
import { controlsOf } from './support/accessibility.ts';
import { faintTexts } from './support/faint-texts.ts';
import { GamePage } from './support/game-page.ts';
import { startTestSite } from './support/pair-page.ts';
import { useBrowser } from './support/use-browser.ts';

const LEAST_CONTRAST = 4.5;
const LEAST_TARGET = 24;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740, isMobile: true, hasTouch: true };
const LYING_PHONE = { width: 844, height: 390, isMobile: true, hasTouch: true };

// Pictures are painted without a graphics card here.
vi.setConfig({ testTimeout: 120_000 });

let site: RunningSite;
let url: string;
const browser = useBrowser('chromium');

beforeAll(async () => {
  site = await startTestSite();
  url = new URL('game/', site.url).href;
});

afterAll(() => site.close());

async function open(prepare?: (page: Page) => Promise<void>): Promise<GamePage> {
  return GamePage.open(await browser().newContext(), url, async (page) => {
    await page.setViewport(DESKTOP);
    await prepare?.(page);
  });
}

it('a newcomer plays at once against two bots, by the keyboard', async () => {
  const game = await open();
  await game.page.waitForFunction(
    () => document.querySelectorAll('#ranking .player').length === 3,
    { polling: 50 },
  );
  expect(
    await game.page.$$eval('#ranking .player-note', (notes) =>
      notes.map(({ textContent }) => textContent).sort(),
    ),
  ).toEqual(['bot', 'bot', 'you']);
  const before = await game.tiles();
  for (const key of ['ArrowRight', 'KeyS', 'ArrowLeft'] as const) {
    await game.page.keyboard.down(key);
    await game.burnsMoreThan((await game.tiles()) + 1);
    await game.page.keyboard.up(key);
  }
  expect(await game.tiles()).toBeGreaterThan(before + 3);
});

it('asks nobody else for anything', async () => {
  const game = await open();
  await game.burnsMoreThan(5);
  await game.click('#invite-button');
  await game.opens('#invite-code svg');
  const elsewhere = game.requests.filter(
    (request) => new URL(request).origin !== new URL(url).origin,
  );
  expect(game.requests.length).toBeGreaterThan(2);
  expect(elsewhere.filter((request) => !request.startsWith('ws://localhost'))).toEqual([]);
});

it('a reload comes back as the same player in the same room', async () => {
  const game = await open();
  await game.burnsMoreThan(3);
  const [name, link] = [await ownName(game), await game.inviteLink()];
  await game.page.reload();
  await game.ready();
  await game.burnsMoreThan(0);
  expect([await ownName(game), await game.inviteLink()]).toEqual([name, link]);
});

it('what is typed into the chat steers nothing, and is said', async () => {
  const game = await open();
  await game.page.keyboard.press('Enter');
  await game.page.keyboard.type('was das wasd');
  await game.page.keyboard.press('Enter');
  await game.until(() => document.querySelector('#chat-lines li') !== null);
  const said = await game.page.$eval('#chat-lines li', ({ textContent }) => textContent);
  expect(said).toBe(`${await ownName(game)}was das wasd`);
  expect(await game.page.evaluate(() => document.activeElement?.id)).toBe('field');
});

it('one takes another name and colour', async () => {
  const game = await open();
  await game.click('#settings-button');
  await game.page.$eval('#name', (input) => ((input as HTMLInputElement).value = ''));
  await game.page.type('#name', 'Zora');
  await game.page.keyboard.press('Enter');
  await game.until(() => document.querySelector('.me .player-name')?.textContent === 'Zora');
  const taken = await game.page.$$eval('#ranking .mark', (marks) =>
    marks.map(({ innerHTML }) => innerHTML),
  );
  const marks = await game.page.$$eval('#colours .mark', (all) =>
    all.map(({ innerHTML }) => innerHTML),
  );
  const free = marks.findIndex((mark) => !taken.includes(mark));
  await game.click(`#colours input[value="${free}"]`);
  await game.page.waitForFunction(
    (wanted) => document.querySelector('.me .mark')?.innerHTML === wanted,
    { polling: 50 },
    marks[free],
  );
});

it('two browsers without any server meet by two pasted texts', async () => {
  const files = await startSite(await buildGame('', [fromSources]), { port: 0 });
  onTestFinished(() => files.close());
  const alice = await GamePage.open(await browser().newContext(), files.url);
  await alice.click('#invite-button');
  expect(await alice.page.$eval('#by-link', (link) => link.checkVisibility())).toBe(false);
  await alice.paste('hello');
  expect(await alice.trouble()).toContain('There is no offer and no answer in this text');
  await alice.click('#paste-offer');
  const bob = await GamePage.open(await browser().newContext(), await alice.given());
  await alice.paste(await bob.given());
  for (const [game, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    await game.sees(await ownName(other));
    expect(await game.page.$eval('#invite', (dialog) => dialog.hasAttribute('open'))).toBe(false);
  }
});

it('the plug is pulled and put in again, and the game goes on', async () => {
  const game = await open();
  await game.click('#plug');
  await game.until(() => document.body.classList.contains('unplugged'));
  const plug = (): Promise<string | null> =>
    game.page.$eval('#plug', (button) => `${button.textContent.trim()} ${button.ariaPressed}`);
  expect(await plug()).toBe('Plug in true');
  await game.burnsMoreThan((await game.tiles()) + 3);
  await game.click('#plug');
  await game.until(() => !document.body.classList.contains('unplugged'));
  expect(await plug()).toBe('Unplug false');
});

it('remembers that it shall be silent, and calm', async () => {
  const game = await open((page) =>
    page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'no-preference' }]),
  );
  const chosen = (): Promise<unknown> =>
    game.page.evaluate(() => ({
      isSounding: document.getElementById('sound-button')!.ariaPressed === 'true',
      isCalm: document.body.classList.contains('calm'),
    }));
  expect(await chosen()).toEqual({ isSounding: true, isCalm: false });
  await game.click('#sound-button');
  await game.click('#settings-button');
  await game.click('#calm');
  expect(await chosen()).toEqual({ isSounding: false, isCalm: true });
  await game.page.reload();
  await game.ready();
  expect(await chosen()).toEqual({ isSounding: false, isCalm: true });
});

it('is calm where the system asks for it, and nothing of the page moves then', async () => {
  const game = await open((page) =>
    page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]),
  );
  await game.click('#plug');
  await game.until(() => document.body.classList.contains('unplugged'));
  const moving = (): Promise<number> =>
    game.page.evaluate(
      () => document.getAnimations().filter((each) => each instanceof CSSAnimation).length,
    );
  expect(await game.page.$eval('body', (body) => body.classList.contains('calm'))).toBe(true);
  expect(await moving()).toBe(0);
  await game.page.emulateMediaFeatures([
    { name: 'prefers-reduced-motion', value: 'no-preference' },
  ]);
  await game.until(() => !document.body.classList.contains('calm'));
  expect(await moving()).toBeGreaterThan(0);
});

it.each([
  ['standing', PHONE],
  ['lying', LYING_PHONE],
])('a finger steers on a phone that is %s, where the page does not scroll', async (_, viewport) => {
  const game = await open((page) => page.setViewport(viewport));
  const field = (await game.page.$('#field'))!;
  const box = (await field.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const before = await game.tiles();
  await game.page.touchscreen.touchStart(x, y);
  for (const [dx, dy] of [
    [40, 0],
    [40, 60],
    [-40, 60],
  ] as const) {
    await game.page.touchscreen.touchMove(x + dx, y + dy);
    await game.burnsMoreThan((await game.tiles()) + 1);
  }
  await game.page.touchscreen.touchEnd();
  expect(await game.tiles()).toBeGreaterThan(before + 3);
  const page = await game.page.evaluate(() => ({
    width: document.documentElement.scrollWidth,
    height: document.documentElement.scrollHeight,
    scrolled: scrollY + (visualViewport?.pageTop ?? 0),
  }));
  expect(page).toEqual({ width: viewport.width, height: viewport.height, scrolled: 0 });
});

it.each(['playing', 'inviting', 'pasting', 'choosing', 'looking inside'])(
  'every control has a name and is large enough to be met, and all text stands out, when %s',
  async (state) => {
    const game = await open((page) => page.setViewport(PHONE));
    await game.burnsMoreThan(2);
    await enter(game, state);
    const controls = await controlsOf(game.page);
    expect(controls.length).toBeGreaterThan(3);
    expect(controls.filter(({ name }) => (name ?? '').trim() === '')).toEqual([]);
    const small = await game.page.$$eval(
      'button, input, textarea, summary, a',
      (all, least) =>
        all
          .filter((control) => control.checkVisibility() && !control.matches('.unseen'))
          .map((control) => control.closest('label') ?? control)
          .filter((control) => {
            const { width, height } = control.getBoundingClientRect();
            return width < least || height < least;
          })
          .map((control) => control.outerHTML),
      LEAST_TARGET,
    );
    expect(small).toEqual([]);
    expect(await game.page.evaluate(faintTexts, LEAST_CONTRAST)).toEqual([]);
    const width = await game.page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(PHONE.width);
  },
);

async function enter(game: GamePage, state: string): Promise<void> {
  switch (state) {
    case 'inviting':
      return game.click('#invite-button');
    case 'pasting':
      await game.click('#invite-button');
      await game.click('#by-pasting summary');
      await game.click('#paste-offer');
      return game.opens('#paste-give');
    case 'choosing':
      return game.click('#settings-button');
    case 'looking inside':
      await game.click('#inspector-button');
      return game.opens('#inspector-place > *');
  }
}

async function ownName(game: GamePage): Promise<string> {
  return game.page.$eval('.me .player-name', ({ textContent }) => textContent);
}
