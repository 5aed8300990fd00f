import { setTimeout } from 'node:timers/promises';
import type { KeyInput, Page } from 'puppeteer-core';
import { servePage } from '../browser/serve-page.ts';
import { quantile } from '../quantile.ts';
import type { Metrics } from '../workloads/workload.ts';
import { GamePage } from '../../test/browser/support/game-page.ts';
import { launchBrowser } from '../../test/browser/support/launch-browser.ts';
import { record, sentBytes } from './recorder.ts';
import { serveGame } from './serve-game.ts';

const VIEWPORT = { width: 1280, height: 800 };
const DIRECTIONS: readonly KeyInput[] = ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp'];
const WHIM_MS = 800;

/** What the game's page costs that one of so many players looks at. */
export async function measureFrames(players: number, seconds: number): Promise<Metrics> {
  const game = await serveGame();
  const friends = await servePage('players');
  const browser = await launchBrowser('chromium');
  try {
    const player = await GamePage.open(await browser.newContext(), game.url, async (page) => {
      await page.setViewport(VIEWPORT);
      await page.evaluateOnNewDocument(record);
    });
    if (players > 1) {
      const page = await (await browser.newContext()).newPage(friends.url);
      await page.evaluate((seats) => globalThis.players.sit(seats), {
        address: await player.inviteLink(),
        signaling: game.signalingUrl,
        count: players - 1,
        isKept: false,
      });
      const isMet = (others: number): boolean => globalThis.players.others() === others;
      await page.waitForFunction(isMet, { timeout: 0 }, players - 1);
    }
    player.page.setDefaultTimeout(0);
    await player.roundWithSeconds(seconds + 1);
    const before = await costOf(player.page);
    await player.page.evaluate(() => (globalThis.recorded.frames = []));
    const until = performance.now() + 1000 * seconds;
    for (let at = 0; performance.now() < until; at++) {
      await player.steer(DIRECTIONS[at % DIRECTIONS.length]!);
      await setTimeout(WHIM_MS);
    }
    const frames = await player.page.evaluate(() => globalThis.recorded.frames);
    const after = await costOf(player.page);
    const tookSeconds = after.at - before.at;
    const aSecond = (key: 'busy' | 'bytes'): number => (after[key] - before[key]) / tookSeconds;
    return {
      frameP50: quantile(frames, 0.5),
      frameP95: quantile(frames, 0.95),
      frameMax: quantile(frames, 1),
      framesPerSecond: frames.length / tookSeconds,
      busyMs: 1000 * aSecond('busy'),
      bytesPerSecond: aSecond('bytes'),
    };
  } finally {
    await browser.close();
    friends.close();
    await game.close();
  }
}

/** Seconds of the clock and of the page's main thread, and bytes sent, until now. */
async function costOf(page: Page): Promise<{ at: number; busy: number; bytes: number }> {
  const { Timestamp, TaskDuration } = await page.metrics();
  return { at: Timestamp!, busy: TaskDuration!, bytes: await page.evaluate(sentBytes) };
}
