import { expect, test } from 'vitest';
import { GameError } from '../../demo-game/game-error.ts';
import { setting, withSeed } from '../support/random.ts';
import { fieldOf, takenTiles, withTable } from './support.ts';

const SOON = { timeout: 20_000, interval: 50 };

test('without a server two play over what they paste, and again after one has pulled the plug', () =>
  withSeed(setting('EMBERLINK_SEED', 41), (random) =>
    withTable(random, async (table) => {
      const options = { times: { roundMs: 600_000, pauseMs: 1000 } };
      const alice = await table.sitForReal('alice', {
        ...options,
        address: new URL('https://play.example/game/'),
      });
      const link = await alice.game.offer();
      expect(link.startsWith(`${alice.game.inviteLink}&offer=`)).toBe(true);
      const bob = await table.sitForReal('bob', { ...options, address: new URL(link) });
      expect(bob.game.inviteLink).toBe(alice.game.inviteLink);
      alice.game.connect(`My answer: ${await bob.game.accept(link)}`);
      const states = (): string[] => [alice, bob].map(({ game }) => game.connection.state);
      await expect.poll(states, SOON).toEqual(['playing', 'playing']);
      await bob.game.unplug();
      await expect.poll(states, SOON).toEqual(['alone', 'unplugged']);
      const before = takenTiles(bob);
      await expect.poll(() => takenTiles(bob), SOON).toBeGreaterThan(before + 3);
      await bob.game.plug();
      await expect.poll(states, SOON).toEqual(['playing', 'playing']);
      const seenByBoth = (): boolean => {
        const seen = fieldOf(alice);
        return [alice, bob].every(({ game }) => seen.includes(game.me));
      };
      await expect.poll(seenByBoth, SOON).toBe(true);
      const elsewhere = link.replace(/room=\w+/, 'room=elsewhere');
      await expect(bob.game.accept(elsewhere)).rejects.toThrow(GameError);
    }),
  ));
