import { expect, test } from 'vitest';
import type { RoundTimes } from '../../demo-game/match.ts';
import { forSeeds, setting, withSeed } from '../support/random.ts';
import { fieldOf, sceneOf, steerAbout, takenTiles, withTable, type Player } from './support.ts';

/** Longer than any of these tests plays. */
const ONE_ROUND: RoundTimes = { roundMs: 600_000, pauseMs: 1000 };
const SOON = { timeout: 10_000, interval: 50 };

async function sameField(players: readonly Player[]): Promise<void> {
  await expect
    .poll(() => new Set(players.map((player) => JSON.stringify(fieldOf(player)))).size, SOON)
    .toBe(1);
  const digests = await Promise.all(players.map(async ({ game }) => game.ledger.digest()));
  expect(new Set(digests).size).toBe(1);
}

async function together(players: readonly Player[]): Promise<void> {
  await expect
    .poll(() => players.map(({ game }) => game.connection), SOON)
    .toEqual(players.map(() => ({ state: 'playing', others: players.length - 1 })));
}


test('those who play together see one field, where the others are, and no bots', () =>
  withSeed(setting('EMBERLINK_SEED', 11), (random) =>
    withTable(random, async (table) => {
      const alice = await table.sit('alice', { times: ONE_ROUND });
      const bob = await table.sit('bob', { times: ONE_ROUND });
      await together([alice, bob]);
      await steerAbout([alice, bob], random, 2000);
      const friend = sceneOf(alice).players.find(({ kind }) => kind === 'friend')!;
      const bobs = sceneOf(bob).players.find(({ kind }) => kind === 'me')!;
      expect(friend).toMatchObject({ id: bob.game.me, name: 'bob' });
      expect(Math.hypot(friend.spark!.x - bobs.spark!.x, friend.spark!.y - bobs.spark!.y)).toBeLessThan(5);
      console.log(takenTiles(alice), takenTiles(bob), sceneOf(alice).players.map((p) => [p.name, p.kind, p.tiles, !!p.spark]));
      console.log(alice.events.map(({ kind }) => kind).join(' '));
    }),
  ));
