/** The game as friends play it: in browser profiles of their own, over real WebRTC, by the page's controls. */
import type { KeyInput } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { buildGame } from '../../site/build-site.ts';
import { networkAddresses } from '../../site/network-addresses.ts';
import { type RunningSite, startSite } from '../../site/start-site.ts';
import { type Random, forSeeds } from '../support/random.ts';
import { SignalingProcess } from '../support/signaling-process.ts';
import { fromSources } from './support/bundle-page.ts';
import { GamePage } from './support/game-page.ts';
import { launchBrowser, type TestBrowser } from './support/launch-browser.ts';
import { useBrowser } from './support/use-browser.ts';

const DIRECTIONS: readonly KeyInput[][] = [
  ['ArrowRight'],
  ['ArrowDown'],
  ['ArrowLeft'],
  ['ArrowUp'],
  ['KeyD', 'KeyS'],
  ['KeyA', 'KeyW'],
];
/** Where all go whose paths shall cross. */
const INTO_THE_CORNER: KeyInput[] = ['ArrowLeft', 'ArrowUp'];
/** The corner's tile, by chunk and place. */
const CORNER = '00/0';
/** Small pictures: a processor paints them here, and those of others at the same time. */
const SMALL = { width: 560, height: 400 };
const PHONE = { width: 360, height: 740, isMobile: true, hasTouch: true };
const LONGER_THAN_A_ROUND_MS = 90_000;
const AGREED = { timeout: 60_000, interval: 500 };

// A round takes a minute, and up to one more passes before it begins.
vi.setConfig({ testTimeout: 300_000 });

let site: RunningSite;
let url: string;
const browser = useBrowser('chromium');

beforeAll(async () => {
  // On all addresses of this machine.
  site = await startSite(await buildGame('signal', [fromSources]), { port: 0, host: '0.0.0.0' });
  ({ url } = site);
});

afterAll(() => site.close());

/** A player with a profile of their own. */
async function play(
  name: string,
  address: string,
  viewport: typeof SMALL = SMALL,
  inBrowser: TestBrowser = browser(),
): Promise<GamePage> {
  const player = await open(address, viewport, inBrowser);
  await player.rename(name);
  return player;
}

async function open(
  address: string,
  viewport: typeof SMALL,
  inBrowser: TestBrowser,
): Promise<GamePage> {
  return GamePage.open(await inBrowser.newContext(), address, async (page) => {
    await page.setViewport(viewport);
    // Several people look at their screens at the same time.
    await page.emulateFocusedPage(true);
    page.setDefaultTimeout(LONGER_THAN_A_ROUND_MS);
  });
}

async function seeEachOther(players: Readonly<Record<string, GamePage>>): Promise<void> {
  for (const [name, player] of Object.entries(players)) {
    for (const other of Object.keys(players)) if (other !== name) await player.sees(other);
  }
}

/** Waits until all have the same of something, and gives it. */
async function agreed<T>(
  players: readonly GamePage[],
  read: (player: GamePage) => Promise<T>,
): Promise<T> {
  let told: T[] = [];
  await expect
    .poll(async () => {
      told = [];
      for (const player of players) told.push(await read(player));
      return told;
    }, AGREED)
    .toSatisfy((all: T[]) => all.every((each) => JSON.stringify(each) === JSON.stringify(all[0])));
  return told[0]!;
}

/** Everybody steers somewhere else now and then, until the round is over. */
async function playOn(players: readonly GamePage[], round: number, random: Random): Promise<void> {
  const over = Promise.all(players.map((player) => player.isOver(round))).then(() => true);
  const pause = (): Promise<false> => new Promise((resolve) => setTimeout(resolve, 300, false));
  while (!(await Promise.race([over, pause()]))) {
    await random.pick(players).steer(...random.pick(DIRECTIONS));
  }
}

/** The owner of each tile, in the order of the tiles. */
const fieldOf =
  (round: number) =>
  async (player: GamePage): Promise<[string, string][]> =>
    Object.entries(await player.field(round)).sort(([a], [b]) => (a < b ? -1 : 1));

const resultOf =
  (round: number) =>
  async (player: GamePage): Promise<string | undefined> =>
    (await player.results()).find((words) => words.startsWith(`Round ${round}:`));

it('four play by a link, one of them unplugged for a while, and all end with the same field and results', () =>
  forSeeds(1, async (random) => {
    const alice = await play('Alice', url);
    const link = await alice.inviteLink();
    const bob = await play('Bob', link);
    await seeEachOther({ Alice: alice, Bob: bob });
    const carol = await play('Carol', link);
    const dave = await play('Dave', link);
    const everybody = [alice, bob, carol, dave];
    await seeEachOther({ Alice: alice, Bob: bob, Carol: carol, Dave: dave });

    const round = await alice.roundWithSeconds(35);
    for (const player of everybody) await player.steer(...INTO_THE_CORNER);
    await dave.click('#plug');
    await dave.until(() => document.body.classList.contains('unplugged'));
    await alice.until(() => document.querySelectorAll('.name-tag').length === 2);
    // Each side takes the same tile.
    await expect.poll(async () => (await dave.field(round))[CORNER], AGREED).toBe('Dave');
    await expect
      .poll(async () => (await alice.field(round))[CORNER], AGREED)
      .toMatch(/Alice|Bob|Carol/);
    // Whoever stays there burns it again when others come, which would settle what is claimed by both.
    for (const player of [alice, bob, carol]) await player.steer('ArrowRight');
    await dave.steer('ArrowDown');
    await Promise.all(
      everybody.map(async (player) => player.burnsMoreThan((await player.tiles()) + 3)),
    );
    const told = everybody.map((player) =>
      player.until(() =>
        /^Together again: .* claimed by both/.test(document.querySelector('#notices')!.textContent),
      ),
    );
    await dave.click('#plug');
    await Promise.all(told);
    expect(await dave.round()).toBe(round);
    const conflicted = await dave.inside(async (ledger) => ledger.conflicted());
    expect(conflicted).toContain(`tiles:${String(round).padStart(6, '0')}:00`);

    await playOn(everybody, round, random);
    const field = await agreed(everybody, fieldOf(round));
    const counts = new Map<string, number>();
    for (const [, name] of field) counts.set(name, (counts.get(name) ?? 0) + 1);
    // In the first round bots may have played before friends came.
    expect([...counts.keys()]).toEqual(expect.arrayContaining(['Alice', 'Bob', 'Carol', 'Dave']));
    const most = Math.max(...counts.values());
    expect(await agreed(everybody, resultOf(round))).toMatch(
      new RegExp(`^Round ${round}: \\w+, ${most} tiles$`),
    );
  }));

it('two play by pasted texts alone', async () => {
  const bare = await startSite(await buildGame('', [fromSources]), { port: 0 });
  onTestFinished(() => bare.close());
  const alice = await play('Alice', bare.url);
  await alice.click('#invite-button');
  await alice.click('#paste-offer');
  const bob = await open(await alice.given(), SMALL, browser());
  await alice.paste(await bob.given());
  await alice.until(() => !document.querySelector('#invite')!.hasAttribute('open'));
  await bob.until(() => !document.querySelector('#invite')!.hasAttribute('open'));
  await bob.rename('Bob');
  await seeEachOther({ Alice: alice, Bob: bob });
  await alice.steer('ArrowDown');
  await bob.steer('ArrowUp');
  await Promise.all([bob.seesMoving('Alice'), bob.seesBurning('Alice')]);
  await Promise.all([alice.seesMoving('Bob'), alice.seesBurning('Bob')]);
});

it('whose tab is killed comes back as the same player, and has all that it had written', async () => {
  const alice = await play('Alice', url);
  const mortal = await launchBrowser('chromium');
  onTestFinished(() => mortal.close());
  const link = await alice.inviteLink();
  // Its storage outlives the tab: it is that of the browser.
  const open = async (): Promise<GamePage> => GamePage.open(mortal, link);
  let bob = await open();
  await bob.rename('Bob');
  await seeEachOther({ Alice: alice, Bob: bob });
  const round = await alice.roundWithSeconds(20);
  await bob.steer('ArrowUp');
  await bob.burnsMoreThan(8);
  // What Bob finds again comes from his own disk.
  await alice.click('#plug');
  await alice.until(() => document.body.classList.contains('unplugged'));
  const before = Object.entries(await bob.field(round)).filter(([, name]) => name === 'Bob');
  expect(before.length).toBeGreaterThan(5);
  await mortal.killPages();
  mortal.allow(/crashed/);

  bob = await open();
  expect(await bob.page.$eval('.me .player-name', ({ textContent }) => textContent)).toBe('Bob');
  const after = await bob.field(round);
  // Bots play with whom is alone, and burn where they like.
  const lost = before.filter(([tile]) => !['Bob', 'Cinder', 'Soot'].includes(after[tile] ?? ''));
  expect(lost).toEqual([]);
  await alice.click('#plug');
  await alice.until(
    () =>
      [...document.querySelectorAll('.name-tag')].map(({ textContent }) => textContent).join() ===
      'Bob',
  );
});

it('play goes on when the signaling server is killed', async () => {
  const signaling = await SignalingProcess.start();
  onTestFinished(() => void signaling.kill());
  const address = await signaling.call('listen');
  const served = await startSite(await buildGame(address, [fromSources]), { port: 0 });
  onTestFinished(() => served.close());
  const alice = await play('Alice', served.url);
  const bob = await play('Bob', await alice.inviteLink());
  await seeEachOther({ Alice: alice, Bob: bob });
  await alice.roundWithSeconds(15);
  // They try to join it again.
  browser().allow(/ERR_CONNECTION_REFUSED/);
  await signaling.kill();
  await alice.steer('ArrowDown');
  await bob.steer('ArrowUp');
  await Promise.all([bob.seesMoving('Alice'), bob.seesBurning('Alice')]);
  await Promise.all([alice.seesMoving('Bob'), alice.seesBurning('Bob')]);
});

const [address] = networkAddresses();

it.skipIf(address === undefined)(
  address === undefined
    ? 'a phone plays by plain http (not tried: this machine has no address but localhost)'
    : 'a phone plays by plain http, where pages have neither WebCrypto nor locks',
  async () => {
    const alice = await play('Alice', url);
    const link = (await alice.inviteLink()).replace('localhost', address!);
    const phone = await play('Phone', link, PHONE);
    expect(
      await phone.page.evaluate(() => [isSecureContext, 'subtle' in crypto, 'locks' in navigator]),
    ).toEqual([false, false, false]);
    await seeEachOther({ Alice: alice, Phone: phone });
    await phone.steer('ArrowDown');
    await Promise.all([alice.seesMoving('Phone'), alice.seesBurning('Phone')]);
    await Promise.all([phone.seesMoving('Alice'), phone.seesBurning('Alice')]);
  },
);
