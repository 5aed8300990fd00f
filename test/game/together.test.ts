import { expect, test } from 'vitest';
import type { RoundTimes } from '../../demo-game/match.ts';
import { ranking } from '../../demo-game/ranking.ts';
import type { RoundView, TileConflict } from '../../demo-game/scene.ts';
import { setting, withSeed } from '../support/random.ts';
import { fieldOf, sceneOf, steerAbout, takenTiles, withTable, type Player } from './support.ts';

/** Longer than any of these tests plays. */
const ONE_ROUND: RoundTimes = { roundMs: 600_000, pauseMs: 1000 };
const SOON = { timeout: 15_000, interval: 50 };

async function together(players: readonly Player[]): Promise<void> {
  await expect
    .poll(() => players.map(({ game }) => game.connection), SOON)
    .toEqual(players.map(() => ({ state: 'playing', others: players.length - 1 })));
  await expect
    .poll(() => players.map((player) => sceneOf(player).round.phase), SOON)
    .toEqual(players.map(() => 'playing'));
}

async function phase(players: readonly Player[], name: RoundView['phase']): Promise<void> {
  await expect
    .poll(() => players.map((player) => sceneOf(player).round.phase), SOON)
    .toEqual(players.map(() => name));
}

/** All have the same documents, and the same field before their eyes. */
async function converged(players: readonly Player[]): Promise<void> {
  const digests = async (): Promise<number> =>
    new Set(await Promise.all(players.map(async ({ game }) => game.ledger.digest()))).size;
  await expect.poll(digests, SOON).toBe(1);
  const [first, ...others] = players.map(fieldOf);
  for (const field of others) expect(field).toEqual(first);
}

/** Who has taken each tile, by what each player was told of its own play. */
function takersOf(players: readonly Player[]): Map<number, Set<string>> {
  const takers = new Map<number, Set<string>>();
  for (const { game, events } of players) {
    for (const event of events) {
      if (event.kind !== 'tiles-taken' && event.kind !== 'loop-closed') continue;
      if (!event.player.startsWith(game.me)) continue;
      for (const tile of event.tiles) {
        takers.set(tile, (takers.get(tile) ?? new Set()).add(event.player));
      }
    }
  }
  return takers;
}

/** Each tile that was ever taken is its taker's, or that of somebody else who took it too. */
function nothingIsLost(players: readonly Player[]): void {
  const field = fieldOf(players[0]!);
  const takers = takersOf(players);
  expect(takers.size).toBeGreaterThan(10);
  for (const [tile, those] of takers) expect(those, `tile ${tile}`).toContain(field[tile]);
  expect(field.filter((owner) => owner !== undefined).length).toBe(takers.size);
}

/** Everybody has the same results, and they say what the field says. */
async function resultsAgree(players: readonly Player[]): Promise<void> {
  const ofField = (player: Player): [string, number][] => {
    const counts = new Map<string, number>();
    for (const owner of fieldOf(player)) {
      if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    return ranking(counts);
  };
  const ofLedger = async ({ game }: Player): Promise<unknown> =>
    (await game.results())[0]?.ranking.map(({ player, tiles }) => [player, tiles]);
  for (const player of players) {
    await expect
      .poll(
        async () => JSON.stringify(await ofLedger(player)) === JSON.stringify(ofField(player)),
        SOON,
      )
      .toBe(true);
  }
}

const seed = setting('EMBERLINK_SEED', 11);

test('those who play together see one field, where the others are, and no bots', () =>
  withSeed(seed, (random) =>
    withTable(random, async (table) => {
      const times = { roundMs: 5000, pauseMs: 60_000 };
      const alice = await table.sit('alice', { times });
      const bob = await table.sit('bob', { times });
      await together([alice, bob]);
      await steerAbout([alice, bob], random, 2000);
      const friend = sceneOf(alice).players.find(({ kind }) => kind === 'friend')!;
      const bobs = sceneOf(bob).players.find(({ kind }) => kind === 'me')!;
      expect(friend).toMatchObject({ id: bob.game.me, name: 'bob' });
      const apart = Math.hypot(friend.spark!.x - bobs.spark!.x, friend.spark!.y - bobs.spark!.y);
      expect(apart).toBeLessThan(5);
      expect(
        sceneOf(alice)
          .players.map(({ kind }) => kind)
          .sort(),
      ).toEqual(['friend', 'me']);
      await phase([alice, bob], 'over');
      await resultsAgree([alice, bob]);
      await converged([alice, bob]);
      nothingIsLost([alice, bob]);
    }),
  ));

test('who pulls the plug plays on; plugged in again, what was played apart comes together', () =>
  withSeed(seed + 1, (random) =>
    withTable(
      random,
      async (table) => {
        const times = { roundMs: 9000, pauseMs: 60_000 };
        const alice = await table.sit('alice', { times });
        const bob = await table.sit('bob', { times });
        const carol = await table.sit('carol', { times });
        const all = [alice, bob, carol];
        await together(all);
        await steerAbout(all, random, 1500);
        await bob.game.unplug();
        expect(bob.game.connection).toEqual({ state: 'unplugged' });
        await expect
          .poll(() => alice.game.connection, SOON)
          .toEqual({ state: 'playing', others: 1 });
        const before = takenTiles(bob);
        await steerAbout(all, random, 2500);
        expect(takenTiles(bob)).toBeGreaterThan(before);
        await bob.game.plug();
        await together(all);
        await expect
          .poll(() => all.map(({ events }) => events.some(({ kind }) => kind === 'merged')), SOON)
          .toEqual([true, true, true]);
        await phase(all, 'over');
        await resultsAgree(all);
        await converged(all);
        nothingIsLost(all);
        // All know the same, and nobody has anything more to write.
        const { commits } = alice.game.ledger.usage();
        await new Promise((resolve) => setTimeout(resolve, 2500));
        expect(alice.game.ledger.usage().commits).toBe(commits);
      },
      { maxDelayMs: 40, datagramLossPercent: 5 },
    ),
  ));

test('of two who take a tile apart one keeps it everywhere, and both are told of the other', () =>
  withSeed(seed + 2, (random) =>
    withTable(random, async (table) => {
      const alice = await table.sit('alice', { times: ONE_ROUND });
      const bob = await table.sit('bob', { times: ONE_ROUND });
      await together([alice, bob]);
      await Promise.all([alice.game.unplug(), bob.game.unplug()]);
      // Both go over the middle of the field.
      const middle = 16 * 48 + 24;
      const isTaken = ({ game, events }: Player): boolean =>
        events.some(
          (event) =>
            event.kind === 'tiles-taken' &&
            event.player === game.me &&
            event.tiles.includes(middle),
        );
      while (![alice, bob].every(isTaken)) {
        for (const player of [alice, bob]) {
          const { spark } = sceneOf(player).players.find(({ kind }) => kind === 'me')!;
          const aim = { x: 24.5 - spark!.x, y: 16.5 - spark!.y };
          player.game.steer(isTaken(player) ? undefined : Math.atan2(aim.y, aim.x));
        }
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      // Away from there: a spark over a tile takes it again.
      await new Promise((resolve) => setTimeout(resolve, 600));
      await Promise.all([alice.game.plug(), bob.game.plug()]);
      const conflictOf = ({ events }: Player): TileConflict | undefined => {
        const merged = events.filter((event) => event.kind === 'merged');
        return merged.flatMap(({ conflicts }) => conflicts).find(({ tile }) => tile === middle);
      };
      await expect.poll(() => [alice, bob].every(conflictOf), SOON).toBe(true);
      const conflict = conflictOf(alice)!;
      expect(conflictOf(bob)).toEqual(conflict);
      expect([conflict.kept, ...conflict.lost].sort()).toEqual([alice.game.me, bob.game.me].sort());
    }),
  ));

test('a clock that is half a minute off takes nobody out of the round', () =>
  withSeed(seed + 3, (random) =>
    withTable(random, async (table) => {
      const times = { roundMs: 8000, pauseMs: 60_000 };
      const alice = await table.sit('alice', { times, now: () => Date.now() + 30_000 });
      const bob = await table.sit('bob', { times });
      await together([alice, bob]);
      await steerAbout([alice, bob], random, 1500);
      const remaining = [alice, bob].map((player) => {
        const { round } = sceneOf(player);
        return round.phase === 'playing' ? round.remainingMs : 0;
      });
      expect(Math.abs(remaining[0]! - remaining[1]!)).toBeLessThan(500);
      expect(remaining[0]).toBeGreaterThan(1000);
      await phase([alice, bob], 'over');
      await resultsAgree([alice, bob]);
      await converged([alice, bob]);
      nothingIsLost([alice, bob]);
    }),
  ));

test('rounds that were played apart become one by number, with one result', () =>
  withSeed(seed + 4, (random) =>
    withTable(random, async (table) => {
      const times = { roundMs: 1500, pauseMs: 3500 };
      const alice = await table.sit('alice', { times });
      const bob = await table.sit('bob', { times });
      const both = [alice, bob];
      await together(both);
      await bob.game.unplug();
      const rounds = (): number[] =>
        both.map((player) => {
          const { round } = sceneOf(player);
          return round.phase === 'waiting' ? 0 : round.number;
        });
      const steering = steerAbout(both, random, 9000);
      await expect.poll(() => Math.min(...rounds()), SOON).toBeGreaterThanOrEqual(3);
      await steering;
      const apart = await Promise.all(both.map(async ({ game }) => game.results()));
      expect(apart[0]![0]).not.toEqual(apart[1]![0]);
      await bob.game.plug();
      const agreed = async (): Promise<boolean> => {
        const [one, other] = await Promise.all(both.map(async ({ game }) => game.results()));
        const digests = await Promise.all(both.map(async ({ game }) => game.ledger.digest()));
        const isSame = JSON.stringify(one) === JSON.stringify(other) && digests[0] === digests[1];
        return isSame && one!.length >= 3;
      };
      await expect.poll(agreed, SOON).toBe(true);
      // What both played is in the results of both.
      const results = await alice.game.results();
      const third = results.find(({ number }) => number === 2)!;
      expect(third.ranking.map(({ player }) => player)).toEqual(
        expect.arrayContaining(both.map(({ game }) => game.me)),
      );
      expect(rounds()[0]).toBe(rounds()[1]);
      expect(both.map(({ game }) => game.connection.state)).toEqual(['playing', 'playing']);
    }),
  ));

test('a network that is lost and comes back brings together what was played meanwhile', () =>
  withSeed(seed + 5, (random) =>
    withTable(
      random,
      async (table) => {
        const alice = await table.sit('alice', { times: ONE_ROUND });
        const bob = await table.sit('bob', { times: ONE_ROUND });
        const both = [alice, bob];
        await together(both);
        await steerAbout(both, random, 1000);
        table.network.cut('alice', 'bob');
        const others = (): number =>
          both.filter(({ game }) => game.connection.state === 'playing').length;
        await expect.poll(others, SOON).toBe(0);
        await steerAbout(both, random, 2000);
        expect(sceneOf(alice).players.some(({ kind }) => kind === 'bot')).toBe(false);
        table.network.heal('alice', 'bob');
        const merged = (): number =>
          both.filter(({ events }) => events.some(({ kind }) => kind === 'merged')).length;
        await expect.poll(merged, SOON).toBe(2);
        await together(both);
      },
      { goneAfterMs: 1000 },
    ),
  ));
