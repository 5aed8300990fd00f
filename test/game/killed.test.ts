import { fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { GameMethods, GameReport } from '../children/game.ts';
import { buildChild } from '../support/built.ts';
import { CallableProcess } from '../support/callable-process.ts';
import { setting, withSeed, type Random } from '../support/random.ts';
import { SignalingProcess } from '../support/signaling-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { ROOM } from './support.ts';

const ROUND_MS = 25_000;
const SOON = { timeout: 40_000, interval: 200 };

/** Games in processes of their own, with disks and WebRTC. */
class Players {
  readonly #program: string;
  readonly #url: string;
  readonly #folder = temporaryFolder();
  readonly #random: Random;

  constructor(program: string, url: string, random: Random) {
    this.#program = program;
    this.#url = url;
    this.#random = random;
  }

  /** Opens the game of this name, again perhaps. */
  async open(name: string): Promise<CallableProcess<GameMethods>> {
    const cwd = join(this.#folder, name);
    mkdirSync(cwd, { recursive: true });
    const player = new CallableProcess<GameMethods>(fork(this.#program, { cwd }));
    onTestFinished(async () => player.kill());
    await player.call('open', this.#url, ROOM.href, ROUND_MS, this.#random.below(2 ** 31));
    return player;
  }
}

async function reports(players: readonly CallableProcess<GameMethods>[]): Promise<GameReport[]> {
  return Promise.all(players.map(async (player) => player.call('report')));
}

const pause = async (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

test(
  'one is killed in the middle of a round and comes back, another pulls the plug: all end with one field and one result',
  () =>
    withSeed(setting('EMBERLINK_SEED', 21), async (random) => {
      const server = await SignalingProcess.start();
      onTestFinished(async () => server.kill());
      const url = await server.call('listen', { logLevel: 'error' });
      const table = new Players(await buildChild('game.ts'), url, random);
      const alice = await table.open('alice');
      const bob = await table.open('bob');
      let carol = await table.open('carol');
      const together = async (): Promise<void> => {
        const states = async (): Promise<string[]> =>
          (await reports([alice, bob, carol])).map(({ state }) => state);
        const playing = JSON.stringify({ state: 'playing', others: 2 });
        await expect.poll(states, SOON).toEqual([playing, playing, playing]);
      };
      await together();
      await bob.call('unplug');
      await pause(2000);
      const before = await carol.call('report');
      await carol.kill();
      await pause(1000);
      carol = await table.open('carol');
      await pause(1000);
      await bob.call('plug');
      await together();
      const all = [alice, bob, carol];
      const overs = async (): Promise<string[]> =>
        (await reports(all)).map(({ round }) => round.phase);
      await expect.poll(overs, SOON).toEqual(['over', 'over', 'over']);
      const digests = async (): Promise<number> =>
        new Set((await reports(all)).map(({ digest, results }) => `${digest} ${results.length}`))
          .size;
      // A result may still be on its way to be written.
      await expect.poll(async () => (await alice.call('report')).results.length, SOON).toBe(1);
      await pause(3000);
      await expect.poll(digests, SOON).toBe(1);

      const [a, b, c] = await reports(all);
      expect(c!.me).toBe(before.me);
      expect([b!.field, c!.field]).toEqual([a!.field, a!.field]);
      expect([b!.results, c!.results]).toEqual([a!.results, a!.results]);
      // Nobody lost a tile that its ledger had but to somebody else who took it too.
      const takenBy = new Map([a!, b!, c!].map(({ me, taken }) => [me, new Set(taken)]));
      for (const { me, acknowledged } of [before, a!, b!, c!]) {
        expect(acknowledged.length).toBeGreaterThan(3);
        for (const tile of acknowledged) {
          const owner = a!.field[tile]!;
          const isLawful =
            owner === me || owner === c!.me || takenBy.get(owner)?.has(tile) === true;
          expect(isLawful, `tile ${tile} of ${me} is ${owner}'s`).toBe(true);
        }
      }
      const counts = new Map<string, number>();
      for (const owner of a!.field) {
        if (owner !== null) counts.set(owner, (counts.get(owner) ?? 0) + 1);
      }
      for (const { player, tiles } of a!.results[0]!.ranking) {
        expect(tiles).toBe(counts.get(player));
      }
      await Promise.all(all.map(async (player) => player.end()));
    }),
  120_000,
);
