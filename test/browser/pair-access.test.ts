/** Whether everybody can use the pairing page: by keyboard, by ear, on a small screen, in light and dark. */
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { RunningSite } from '../../site/start-site.ts';
import { controlsOf } from './support/accessibility.ts';
import { faintTexts } from './support/faint-texts.ts';
import { PairPage, startTestSite } from './support/pair-page.ts';
import { useBrowser } from './support/use-browser.ts';

const LEAST_CONTRAST = 4.5;
const LEAST_TARGET = 24;

// Several browsers at work, on machines that have other things to do.
vi.setConfig({ testTimeout: 120_000 });

let site: RunningSite;
let pairUrl: string;
/** A name that leads here, and is no secure origin as localhost is. */
const OTHER_MACHINE = 'other-machine.test';
const browser = useBrowser('chromium', {
  flags: [`--host-resolver-rules=MAP ${OTHER_MACHINE} localhost`],
});

beforeAll(async () => {
  site = await startTestSite();
  pairUrl = new URL('pair/', site.url).href;
});

afterAll(() => site.close());

/** A page in each of the states that it has, on a small screen. */
async function* states(): AsyncIterable<[string, Page]> {
  const alice = await PairPage.open(await browser().newContext(), pairUrl);
  await alice.page.setViewport({ width: 360, height: 740 });
  yield ['idle', alice.page];
  await alice.add('bread');
  await alice.add('a-very-long-word-'.repeat(12));
  await alice.clickNote('bread', 'note-done');
  const bob = await PairPage.open(await browser().newContext(), await alice.makeOffer());
  await bob.page.setViewport({ width: 360, height: 740 });
  await alice.use('no offer');
  await alice.trouble();
  yield ['offering, in trouble', alice.page];
  const answer = await bob.link();
  yield ['answering', bob.page];
  await alice.use(answer);
  await Promise.all([alice.synced(), bob.synced()]);
  await alice.clickNote('bread', 'note-edit');
  yield ['paired, editing', alice.page];
  await bob.page.click('#naming summary');
  await bob.click('.peer-end');
  await bob.page.waitForSelector('.peer.over');
  yield ['over, choosing a list', bob.page];
}

it('every control has a name, in every state', async () => {
  for await (const [state, page] of states()) {
    const controls = await controlsOf(page);
    expect(controls.length, state).toBeGreaterThan(4);
    const nameless = controls.filter(({ name }) => (name ?? '').trim() === '');
    expect(nameless, state).toEqual([]);
  }
});

it('nothing is wider than a small screen, and no control too small to be met', async () => {
  for await (const [state, page] of states()) {
    await page.bringToFront();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, state).toBeLessThanOrEqual(360);
    const small = await page.$$eval(
      'button, input, textarea, summary, a, .button',
      (controls, least) =>
        controls
          .filter((control) => control.checkVisibility() && !control.matches('.unseen, .skip'))
          // A box to tick is met by its label, too.
          .map((control) => control.closest('.note-label') ?? control)
          .filter((control) => {
            const { width, height } = control.getBoundingClientRect();
            return width < least || height < least;
          })
          .map((control) => control.outerHTML),
      LEAST_TARGET,
    );
    expect(small, state).toEqual([]);
  }
});

it.each(['light', 'dark'])('all text stands out, in the %s theme', async (scheme) => {
  for await (const [state, page] of states()) {
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]);
    expect(await page.evaluate(faintTexts, LEAST_CONTRAST), state).toEqual([]);
  }
});

it('nothing moves for those who want no motion', async () => {
  const { page } = await PairPage.open(browser(), pairUrl);
  const moving = (): Promise<number> =>
    page.evaluate(() => {
      document.getElementById('wait')!.hidden = false;
      return document.getAnimations().length;
    });
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'no-preference' }]);
  expect(await moving()).toBe(1);
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
  expect(await moving()).toBe(0);
});

it('the keyboard alone pairs, writes and ticks off', async () => {
  const alice = await PairPage.open(await browser().newContext(), pairUrl);
  const press = async (who: PairPage, id: string, key: 'Enter' | 'Space'): Promise<void> => {
    await who.page.bringToFront();
    for (let steps = 0; steps < 30; steps++) {
      await who.page.keyboard.press('Tab');
      const reached = await who.page.evaluate(
        (wanted) => document.activeElement?.matches(wanted) ?? false,
        id,
      );
      if (reached) return who.page.keyboard.press(key);
    }
    throw new Error(`the keyboard does not reach ${id}`);
  };
  await press(alice, '#make-offer', 'Enter');
  const offer = await alice.link();
  const heading = await alice.page.evaluate(() => document.activeElement?.textContent);
  expect(heading, 'a screen reader goes on with what is new').toBe('1. Give them your offer');
  const bob = await PairPage.open(await browser().newContext(), offer);
  const answer = await bob.link();

  await press(alice, '#take-text', 'Space');
  await alice.page.keyboard.type(answer.slice(answer.indexOf('#') + 1));
  await press(alice, '#use', 'Enter');
  await Promise.all([alice.synced(), bob.synced()]);
  await press(bob, '#new-note-text', 'Space');
  await bob.page.keyboard.type('tea');
  await bob.page.keyboard.press('Enter');
  await alice.sees('tea');
  const said = await alice.page.$eval('#said', (region) => region.textContent);
  expect(said).toBe('From the other side: tea');
  await press(alice, '.note-done', 'Space');
  await bob.sees('[tea]');
});

it('whoever writes a note while the two connect goes on writing', async () => {
  const alice = await PairPage.open(await browser().newContext(), pairUrl);
  const bob = await PairPage.open(await browser().newContext(), await alice.makeOffer());
  const answer = await bob.link();
  await bob.page.type('#new-note-text', 'lem');
  await alice.use(answer);
  await bob.synced();
  await bob.page.bringToFront();
  await bob.page.keyboard.type('ons');
  await bob.page.keyboard.press('Enter');
  await alice.sees('lemons');
});

it('a page that came over plain http says what is missing, and pairs all the same', async () => {
  const url = pairUrl.replace('localhost', OTHER_MACHINE);
  const alice = await PairPage.open(await browser().newContext(), url);
  expect(await alice.page.evaluate(() => isSecureContext)).toBe(false);
  expect(await alice.page.$eval('#keeping', (notice) => notice.textContent)).toContain(
    'plain http',
  );
  await alice.click('#scan');
  expect(await alice.trouble()).toContain('did not come over https');

  const bob = await PairPage.open(await browser().newContext(), url);
  await bob.use(await alice.makeOffer());
  await alice.click('#copy-link');
  expect(await alice.news()).toContain('copy it by hand');
  const selected = (): Promise<string> => alice.page.evaluate(() => String(getSelection()));
  expect(await selected()).toContain('/pair/#ember');
  await alice.click('#copy-text');
  await alice.until(() => String(getSelection()).startsWith('ember'));
  expect(await alice.link(), 'what is shown stays the link').toContain(await selected());
  await alice.use(await bob.link());
  await bob.add('lemons');
  await alice.sees('lemons');
});
