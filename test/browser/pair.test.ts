import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunningSite } from '../../site/start-site.ts';
import { BROWSERS } from './support/find-browser.ts';
import { PairPage, startTestSite } from './support/pair-page.ts';
import { useBrowser } from './support/use-browser.ts';

// Several browsers at work, on machines that have other things to do.
vi.setConfig({ testTimeout: 120_000 });

let site: RunningSite;
let pairUrl: string;
const folder = mkdtempSync(join(tmpdir(), 'emberlink-pair-'));

beforeAll(async () => {
  site = await startTestSite();
  pairUrl = new URL('pair/', site.url).href;
});

afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});

describe.each(BROWSERS)('two people with %s', (kind) => {
  const browser = useBrowser(kind);

  /** Two browsers of two people, as far as their storage knows. */
  async function twoPeople(): Promise<[PairPage, PairPage]> {
    const [alices, bobs] = [await browser().newContext(), await browser().newContext()];
    return [await PairPage.open(alices, pairUrl), await PairPage.open(bobs, pairUrl)];
  }

  it('pair by pasting, and what either writes, changes and deletes is seen by both', async () => {
    const [alice, bob] = await twoPeople();
    await alice.add('bread');
    await bob.add('lemons');
    await bob.use(`My offer: ${await alice.makeOffer()}. Come!`);
    await alice.use(await bob.link());
    await Promise.all([alice.synced(), bob.synced()]);
    await Promise.all([alice.sees('lemons', 'bread'), bob.sees('lemons', 'bread')]);
    expect(await alice.peerWords()).toContain('2 notes here, the same there');

    await alice.clickNote('lemons', 'note-done');
    await bob.sees('[lemons]', 'bread');
    await bob.clickNote('bread', 'note-edit');
    await bob.page.keyboard.type(' and butter');
    await bob.page.keyboard.press('Enter');
    await alice.sees('[lemons]', 'bread and butter');
    await alice.clickNote('lemons', 'note-delete');
    await bob.sees('bread and butter');
    await alice.add('tea');
    await bob.sees('tea', 'bread and butter');
    await alice.until(() =>
      /A change is there after [\d.]+ ms/.test(document.querySelector('.peer')!.textContent),
    );

    await bob.click('.peer-end');
    await alice.page.waitForSelector('.peer.over');
    expect(await alice.peerWords()).toContain('Your notes stay here');
    await alice.sees('tea', 'bread and butter');
  });

  it('pair by links alone: that of the answer may open a tab of its own', async () => {
    const [alices, bobs] = [await browser().newContext(), await browser().newContext()];
    const alice = await PairPage.open(alices, pairUrl);
    await alice.add('bread');
    const bob = await PairPage.open(bobs, await alice.makeOffer());
    const answer = await bob.link();
    expect(bob.page.url(), 'loading anew does not bring the offer again').toBe(pairUrl);
    const opened = await PairPage.open(alices, answer);
    expect(await opened.news()).toContain('went to the tab that was waiting');
    await Promise.all([alice.synced(), bob.synced()]);
    await bob.sees('bread');
  });

  it('pair by a picture of the code', async () => {
    const [alice, bob] = await twoPeople();
    await bob.add('lemons');
    const read = async (reader: PairPage, shown: PairPage): Promise<void> => {
      await shown.link();
      const picture = join(folder, `${kind}.png`) as `${string}.png`;
      await shown.page.bringToFront();
      await (await shown.page.$('#code'))!.screenshot({ path: picture });
      const input = (await reader.page.$('#picture')) as Awaited<
        ReturnType<typeof reader.page.$<'input'>>
      >;
      await input!.uploadFile(picture);
    };
    await alice.click('#make-offer');
    await read(bob, alice);
    await read(alice, bob);
    await Promise.all([alice.synced(), bob.synced()]);
    await alice.sees('lemons');
  });

  it('find their notes again when the page is loaded anew, each list its own', async () => {
    const context = await browser().newContext();
    const alice = await PairPage.open(context, pairUrl);
    await alice.add('bread');
    await alice.sees('bread');
    await alice.page.close();
    const later = await PairPage.open(context, pairUrl);
    await later.sees('bread');
    await later.click('#naming summary');
    await later.page.$eval('#ledger-choice', (input) => {
      (input as HTMLInputElement).value = 'Holiday';
    });
    await Promise.all([later.page.waitForNavigation(), later.click('#open-ledger button')]);
    await later.until(() => document.documentElement.dataset['ready'] !== undefined);
    expect(await later.page.$eval('#ledger-name', (name) => name.textContent)).toBe('Holiday');
    await later.sees();
  });

  it('are told in plain words what is wrong, and what to do', async () => {
    const [alice, bob] = await twoPeople();
    await alice.use('Hello Bob!');
    expect(await alice.trouble()).toContain('no offer and no answer in this text');

    const offer = await alice.makeOffer();
    await alice.use(offer);
    expect(await alice.trouble()).toContain('your own offer. Send it to the other person');
    await bob.use(offer.slice(0, -9));
    expect(await bob.trouble()).toContain('missing or was changed on the way');
    await bob.use(offer.toLowerCase());
    expect(await bob.trouble()).toContain('Capital and small letters');
    const others = await bob.makeOffer();
    await alice.use(others);
    expect(await alice.trouble()).toContain('an offer of theirs, not the answer');
    await bob.click('#cancel');
    await bob.use(`${offer}\n${others}`);
    expect(await bob.trouble()).toContain('several of them');

    await bob.use(offer);
    const answer = await bob.link();
    await alice.click('#cancel');
    await alice.use(answer);
    expect(await alice.trouble()).toContain('Make a new offer');
    await alice.makeOffer();
    await alice.use(answer);
    expect(await alice.trouble()).toContain('the answer to another offer');
    await bob.click('#cancel');
    await bob.use(offer);
    expect(await bob.trouble()).toContain('used before');
  });

  it('are told when they open their own link, or an answer that nobody waits for', async () => {
    const context = await browser().newContext();
    const alice = await PairPage.open(context, pairUrl);
    const own = await PairPage.open(context, await alice.makeOffer());
    expect(await own.trouble()).toContain('your own offer');
    const bob = await PairPage.open(
      await browser().newContext(),
      await alice.page.$eval('#give-link', (input) => (input as HTMLInputElement).value),
    );
    const answer = await bob.link();
    await alice.click('#cancel');
    const late = await PairPage.open(context, answer);
    expect(await late.trouble()).toContain('the offer that it belongs to is not waiting');
  });

  it('hear at once when the other one closes the page, and can pair again', async () => {
    const [alice, bob] = await twoPeople();
    await bob.use(await alice.makeOffer());
    await alice.use(await bob.link());
    await Promise.all([alice.synced(), bob.synced()]);
    await bob.page.goto(site.url);
    await alice.page.waitForSelector('.peer.over');
    expect(await alice.peerWords()).toMatch(/Disconnected\s.*pair again/is);

    const again = await PairPage.open(await browser().newContext(), pairUrl);
    await alice.add('bread');
    await alice.click('#pair-more');
    await again.use(await alice.makeOffer());
    await alice.use(await again.link());
    await again.sees('bread');
  });
});

describe('a camera', () => {
  const film = join(folder, 'camera.mjpeg');
  const browser = useBrowser('chromium', {
    flags: [
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-video-capture=${film}`,
    ],
  });

  it('that looks at the code of the answer pairs the two', async () => {
    const alice = await PairPage.open(await browser().newContext(), pairUrl);
    await alice.add('bread');
    const bob = await PairPage.open(await browser().newContext(), await alice.makeOffer());
    await bob.link();
    await bob.page.setViewport({ width: 640, height: 480 });
    const code = (await bob.page.$('#code'))!;
    await code.scrollIntoView();
    await writeFile(film, await bob.page.screenshot({ type: 'jpeg', quality: 85 }));
    await alice.click('#scan');
    await bob.sees('bread');
    expect(await alice.page.$eval('#camera', (dialog) => (dialog as HTMLDialogElement).open)).toBe(
      false,
    );
  });
});

describe('what does not work out', () => {
  const browser = useBrowser('chromium');

  it('an offer that nobody answers expires, and the page says so', async () => {
    const page = await browser().newPage('about:blank');
    // Ten minutes are over at once.
    await page.evaluateOnNewDocument(() => {
      const { setTimeout: wait } = globalThis;
      const soon = (call: () => void, ms = 0): unknown => wait(call, ms >= 600_000 ? 1500 : ms);
      Object.assign(globalThis, { setTimeout: soon });
    });
    const alice = await PairPage.at(page, pairUrl);
    await alice.makeOffer();
    expect(await alice.trouble()).toContain('Nobody came within ten minutes');
    await alice.page.waitForSelector('#begin:not([hidden])');
  });

  it('a browser that keeps nothing says so, and the list works as long as the page does', async () => {
    const page = await browser().newPage('about:blank');
    await page.evaluateOnNewDocument(() => {
      Object.defineProperty(globalThis, 'indexedDB', { value: undefined });
    });
    const alice = await PairPage.at(page, pairUrl);
    const notice = await alice.page.$eval('#keeping:not([hidden])', (each) => each.textContent);
    expect(notice).toContain('gone when the page is');
    await alice.add('bread');
    await alice.sees('bread');
  });

  it('a camera that is refused is no dead end', async () => {
    const alice = await PairPage.open(browser(), pairUrl);
    await alice.click('#scan');
    expect(await alice.trouble()).toMatch(/picture|photo/);
  });
});
