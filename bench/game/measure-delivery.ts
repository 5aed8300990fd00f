import { setTimeout } from 'node:timers/promises';
import type { Page } from 'puppeteer-core';
import { servePage } from '../browser/serve-page.ts';
import { quantile } from '../quantile.ts';
import type { Metrics } from '../workloads/workload.ts';
import { launchBrowser } from '../../test/browser/support/launch-browser.ts';
import type { Passed } from './players-page.ts';
import { serveGame } from './serve-game.ts';

/** About what a position takes. */
const PING_BYTES = 72;
const PING_EVERY_MS = 40;

/** How long what one of two players does takes to the other, each in a profile of its own. */
export async function measureDelivery(seconds: number): Promise<Record<string, Metrics>> {
  const game = await serveGame();
  const site = await servePage('players');
  const browser = await launchBrowser('chromium');
  try {
    const alice = await (await browser.newContext()).newPage(site.url);
    const bob = await (await browser.newContext()).newPage(site.url);
    const seat = { signaling: game.signalingUrl, count: 1, isKept: true };
    const address = await sit(alice, { ...seat, address: game.url });
    await sit(bob, { ...seat, address });
    for (const page of [alice, bob]) {
      await page.waitForFunction(() => globalThis.players.others() === 1, { timeout: 0 });
    }
    await alice.waitForFunction(
      (leastMs) => {
        const round = globalThis.players.phase();
        return round.phase === 'playing' && round.remainingMs > leastMs;
      },
      { timeout: 0 },
      1000 * (seconds + 2),
    );
    const offer = await alice.evaluate(() => globalThis.players.offer());
    const answer = await bob.evaluate((text) => globalThis.players.answer(text), offer);
    for (const page of [alice, bob]) await page.evaluate(() => globalThis.players.begin());
    const [waysMs] = await Promise.all([
      alice.evaluate((text, pings) => globalThis.players.ping(text, pings), answer, {
        bytes: PING_BYTES,
        count: Math.floor((1000 * seconds) / PING_EVERY_MS / 2),
        everyMs: PING_EVERY_MS,
      }),
      setTimeout(1000 * seconds),
    ]);
    const [ofAlice, ofBob] = await Promise.all(
      [alice, bob].map((page) => page.evaluate(() => globalThis.players.end())),
    );
    const tilesMs = [...waysOfTiles(ofAlice!, ofBob!), ...waysOfTiles(ofBob!, ofAlice!)];
    return {
      'the bare data channel, there and back, halved': of(waysMs),
      'emberlink: a position, as it is heard': of([...ofAlice!.positionsMs, ...ofBob!.positionsMs]),
      "emberlink: a tile, from one's frame to the other's": of(tilesMs),
    };
  } finally {
    await browser.close();
    site.close();
    await game.close();
  }
}

async function sit(page: Page, seats: Parameters<typeof players.sit>[0]): Promise<string> {
  return page.evaluate((wanted) => globalThis.players.sit(wanted), seats);
}

/** Of each tile that one has taken: until the other has seen it as theirs. */
function waysOfTiles(from: Passed, to: Passed): number[] {
  const ways: number[] = [];
  for (const sent of from.tiles) {
    if (!sent.isOwn) continue;
    const seen = to.tiles.find(
      ({ round, tile, isOwn, at }) =>
        !isOwn && round === sent.round && tile === sent.tile && at >= sent.at,
    );
    if (seen !== undefined) ways.push(seen.at - sent.at);
  }
  return ways;
}

function of(waysMs: readonly number[]): Metrics {
  return { times: waysMs.length, p50: quantile(waysMs, 0.5), p95: quantile(waysMs, 0.95) };
}
