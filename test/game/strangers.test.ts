import { expect, test } from 'vitest';
import { plain } from '../../demo-game/documents.ts';
import { GameError } from '../../demo-game/game-error.ts';
import { joinRoom, openLedger, type Document } from '../../src/index.ts';
import { setting, withSeed } from '../support/random.ts';
import { sceneOf, ROOM, takenTiles, withTable } from './support.ts';

const ONE_ROUND = { roundMs: 600_000, pauseMs: 1000 };
const SOON = { timeout: 15_000, interval: 50 };
const seed = setting('EMBERLINK_SEED', 31);
const STRANGER = '0123456789abcdef';

/** Of the right kind by their ids, and not at all what they should be. */
const ODD: readonly Document[] = [
  { _id: 'round:000001', startedAt: 'yesterday' },
  { _id: 'round:999999', startedAt: 1 },
  { _id: 'round:000002', startedAt: 1e15 },
  {
    _id: 'tiles:000001:00',
    0: 7,
    1: { of: 'mine' },
    2: 'nobody',
    99: STRANGER,
    x: [1],
    3: STRANGER,
  },
  { _id: 'embers:000001', 0: false, all: STRANGER, 77: STRANGER },
  { _id: 'result:000001', ranking: [[1, 2], 'x'] },
  { _id: 'result:000400', ranking: [[STRANGER, 5]] },
  { _id: `player:${STRANGER}`, name: `\u202e evil\n\n${'x'.repeat(500)}`, colour: 99 },
  { _id: `chat:0000000000002-${STRANGER}`, text: 12 },
  { _id: `chat:0000000000003-${STRANGER}`, text: `a\u0000b ${'y'.repeat(5000)}` },
];

test('whatever a stranger writes and shows, the others play on', () =>
  withSeed(seed, (random) =>
    withTable(random, async (table) => {
      const alice = await table.sit('alice', { times: ONE_ROUND });
      const bob = await table.sit('bob', { times: ONE_ROUND });
      const stranger = await openLedger('stranger', { storage: 'memory' });
      const said = new URLSearchParams(ROOM.hash.slice(1));
      const room = joinRoom(stranger, {
        room: said.get('room')!,
        secret: said.get('key')!,
        signaling: table.server.adapter(),
        linker: table.network.linker('stranger'),
        info: { not: 'a player' },
      });
      await expect.poll(() => room.peers.length, SOON).toBe(2);
      await room.synced();
      for (const document of ODD) await stranger.patch(document);
      for (const odd of [
        'hello',
        { x: 'left' },
        [1, 2],
        { x: 1e300, y: -1, h: 0, f: 1e9, w: 0, t: 0 },
        null,
      ]) {
        room.presence.set(odd);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      await expect
        .poll(async () => (await bob.game.ledger.get('result:000400')) !== undefined, SOON)
        .toBe(true);
      const before = takenTiles(alice);
      await expect.poll(() => takenTiles(alice), SOON).toBeGreaterThan(before + 5);
      await expect.poll(() => Math.abs(takenTiles(bob) - takenTiles(alice)), SOON).toBeLessThan(6);
      const { round, players } = sceneOf(bob);
      expect(round).toMatchObject({ phase: 'playing', number: 1 });
      // The one tile that it could rightly take.
      expect(players.find(({ id }) => id === STRANGER)).toMatchObject({
        tiles: 1,
        colour: 0,
        name: 'evil xxxxxxxxxxx',
      });
      expect(await bob.game.results()).toEqual([]);
      const lines = bob.game.chat().map(({ text }) => text);
      expect(lines).toEqual([`a b ${'y'.repeat(196)}`]);

      // What is nothing of the game at all is not even stored, and ends the link that brings it.
      await stranger.put({ _id: 'tiles:000001:97', 0: STRANGER });
      await expect.poll(() => room.peers.map(({ state }) => state), SOON).not.toContain('live');
      expect(await bob.game.ledger.get('tiles:000001:97')).toBeUndefined();
      expect(alice.game.connection).toEqual({ state: 'playing', others: 1 });
      await room.leave();
      await stranger.close();
    }),
  ));

test('names and lines are plain text of a bounded length', async () => {
  expect(plain('  a\tb\u200b\u202ec\n', 16)).toBe('a b c');
  expect(plain('🔥'.repeat(20), 16)).toBe('🔥'.repeat(16));
  expect(plain('\u0000', 16)).toBe('');
  await withSeed(seed, (random) =>
    withTable(random, async (table) => {
      const alice = await table.sit('alice', { times: ONE_ROUND });
      await alice.game.rename(' Wild   fire ');
      await expect.poll(() => sceneOf(alice).players[0]!.name).toBe('Wild fire');
      await expect(alice.game.rename(' \u200b ')).rejects.toThrow(GameError);
      await expect(alice.game.rename('x'.repeat(17))).rejects.toThrow('at most 16');
      await alice.game.say('hello   there');
      await alice.game.say(' ');
      await expect(alice.game.say('x'.repeat(201))).rejects.toThrow(GameError);
      await expect
        .poll(() => alice.game.chat())
        .toMatchObject([{ player: alice.game.me, name: 'Wild fire', text: 'hello there' }]);
    }),
  );
});

test('who comes later finds the field, the names and the talk as they are; bots go, and come back', () =>
  withSeed(seed + 1, (random) =>
    withTable(random, async (table) => {
      const alice = await table.sit('alice', { times: ONE_ROUND });
      const bots = (): number =>
        sceneOf(alice).players.filter(({ kind, spark }) => kind === 'bot' && spark !== undefined)
          .length;
      await expect.poll(bots, SOON).toBe(2);
      await expect.poll(() => takenTiles(alice), SOON).toBeGreaterThan(30);
      await alice.game.say('anybody?');
      const bob = await table.sit('bob', { times: ONE_ROUND });
      await expect.poll(() => takenTiles(bob), SOON).toBeGreaterThan(30);
      await expect.poll(bots, SOON).toBe(0);
      await expect.poll(() => bob.game.chat().map(({ text }) => text)).toEqual(['anybody?']);
      // What was there already is no news.
      expect(bob.events.some(({ kind }) => kind === 'merged')).toBe(false);
      await table.leave(bob);
      await expect.poll(bots, SOON).toBe(2);
    }),
  ));

test('of two who have one colour the one with the later id moves on', () =>
  withSeed(seed + 2, (random) =>
    withTable(random, async (table) => {
      const alice = await table.sit('alice', { times: ONE_ROUND, random: () => 0.4 });
      const bob = await table.sit('bob', { times: ONE_ROUND, random: () => 0.4 });
      const colours = (): number[] =>
        [alice, bob].map((each) => sceneOf(each).players.find(({ kind }) => kind === 'me')!.colour);
      await expect.poll(() => new Set(colours()).size, SOON).toBe(2);
      const first = alice.game.me < bob.game.me ? 0 : 1;
      expect(colours()[first]).toBe(3);
      expect(colours()[1 - first]).toBe(4);
      const taken = colours()[first]!;
      const later = [alice, bob][1 - first]!;
      await expect(later.game.recolour(taken)).rejects.toThrow(GameError);
      await later.game.recolour(7);
      await expect.poll(() => colours()[1 - first], SOON).toBe(7);
    }),
  ));
