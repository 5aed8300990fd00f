/**
 * `npm run game:pictures`: plays the game as two friends do, and takes a picture of each of its states
 * into docs/pictures. It takes two minutes, for a round is one.
 */
import { mkdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { KeyInput } from 'puppeteer-core';
import { buildSite } from '../../site/build-site.ts';
import { startSite } from '../../site/start-site.ts';
import { GamePage } from './support/game-page.ts';
import { launchBrowser } from './support/launch-browser.ts';

const ROOT = dirname(createRequire(import.meta.url).resolve('emberlink/package.json'));
const FOLDER = join(ROOT, 'docs/pictures');
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740, isMobile: true, hasTouch: true };
const MOST_BYTES = 150_000;
const QUALITIES = [90, 80, 70, 60, 50];
/** Keys, and for how long, in milliseconds. */
type Stretch = readonly [readonly KeyInput[], number];
/** Loops, which fill what they enclose. */
const LOOPS: readonly Stretch[] = [
  [['ArrowRight'], 1900],
  [['ArrowDown'], 1000],
  [['ArrowLeft'], 1500],
  [['ArrowUp'], 1200],
  [['ArrowRight', 'ArrowDown'], 700],
  [['ArrowLeft'], 1300],
];
/** Where both go while they are apart, so that both claim the same tiles. */
const INTO_THE_CORNER: Stretch = [['ArrowLeft', 'ArrowUp'], 1000];
const CROSSING_MS = 4000;

await mkdir(FOLDER, { recursive: true });
const site = await startSite(await buildSite(), { port: 0 });
const browser = await launchBrowser('chromium');
const url = new URL('game/', site.url).href;
const isOver = new AbortController();
let isCrossing = false;
try {
  const ada = await open(url, DESKTOP);
  await enter(ada, 'Ada');
  const playing = [glideAbout(ada, 0)];
  await untilSecondsLeft(ada, 25);
  await take(ada, 'alone');

  const bo = await open(await ada.inviteLink(), PHONE);
  await enter(bo, 'Bo');
  await ada.sees('Bo');
  playing.push(glideAbout(bo, 2));
  await ada.roundWithSeconds(50);
  await untilSecondsLeft(ada, 40);
  await take(ada, 'two-players');
  await take(bo, 'phone');

  await ada.roundWithSeconds(35);
  await ada.click('#plug');
  await ada.until(() => document.body.classList.contains('unplugged'));
  isCrossing = true;
  await pause(CROSSING_MS);
  isCrossing = false;
  await pause(6000);
  await take(ada, 'unplugged');
  const merged = ada.until(() =>
    document.querySelector('#notices')!.textContent.includes('Together again'),
  );
  await ada.click('#plug');
  await merged;
  // The light of it needs a while to run over the field.
  await pause(900);
  await take(ada, 'merged');

  await ada.click('#inspector-button');
  await ada.opens('#inspector-place > *');
  await pause(3000);
  await take(ada, 'inspector');
  await ada.click('#inspector-close');
  await ada.opens('#over');
  await pause(500);
  await take(ada, 'results');
  isOver.abort();
  await Promise.all(playing);
} finally {
  await browser.close();
  await site.close();
}

async function open(address: string, viewport: typeof DESKTOP): Promise<GamePage> {
  return GamePage.open(await browser.newContext(), address, async (page) => {
    await page.setViewport(viewport);
    await page.emulateFocusedPage(true);
    page.setDefaultTimeout(120_000);
  });
}

async function enter(player: GamePage, name: string): Promise<void> {
  await player.rename(name);
  await player.page.focus('#field');
}

async function glideAbout(player: GamePage, first: number): Promise<void> {
  for (let at = first; !isOver.signal.aborted; at++) {
    const [keys, ms] = isCrossing ? INTO_THE_CORNER : LOOPS[at % LOOPS.length]!;
    await player.steer(...keys);
    await pause(ms);
  }
}

/** Until not more of the round is left. */
async function untilSecondsLeft(player: GamePage, seconds: number): Promise<void> {
  await player.until((most) => {
    const time = document.querySelector('#clock-time')!.textContent;
    const isPlayed = document.querySelector('#clock-round')!.textContent.startsWith('Round');
    return isPlayed && time.startsWith('0:') && Number(time.slice(2)) <= most;
  }, seconds);
}

/** As fine as it may be. */
async function take({ page }: GamePage, name: string): Promise<void> {
  const path = join(FOLDER, `${name}.webp`) as `${string}.webp`;
  for (const quality of QUALITIES) {
    // Else the page is laid out anew for the picture.
    await page.screenshot({ path, type: 'webp', quality, captureBeyondViewport: false });
    const { size } = await stat(path);
    if (size > MOST_BYTES) continue;
    process.stdout.write(`${path} ${Math.round(size / 1000)} kB\n`);
    return;
  }
  throw new Error(`${path} is larger than ${MOST_BYTES} bytes`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
