import { expect, test } from 'vitest';
import { Game } from '../../demo-game/game.ts';
import type { GameEvent } from '../../demo-game/scene.ts';

const PAGE = new URL('https://play.example/game/');

test('alone one plays at once, against two bots, round after round', async () => {
  const game = await Game.open({
    signaling: undefined,
    address: PAGE,
    storage: 'memory',
    times: { roundMs: 3000, pauseMs: 500 },
  });
  const events: GameEvent[] = [];
  game.subscribe((event) => events.push(event));
  try {
    const scene = game.scene(performance.now());
    expect(scene.round.phase).toBe('playing');
    const { spark } = scene.players.find(({ kind }) => kind === 'me')!;
    expect(spark).toBeDefined();
    await expect
      .poll(() => game.scene(performance.now()).players.map(({ kind }) => kind))
      .toEqual(['me', 'bot', 'bot']);
    await expect
      .poll(() => game.scene(performance.now()).round, { timeout: 10_000 })
      .toMatchObject({ phase: 'playing', number: 2 });
    await expect.poll(async () => (await game.results()).length, { timeout: 5_000 }).toBe(1);
    const [result] = await game.results();
    expect(result!.ranking.length).toBe(3);
    expect(result).toMatchObject({ number: 1 });
    expect(result!.ranking.find(({ player }) => player === game.me)!.tiles).toBeGreaterThan(5);
    expect(events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['tiles-taken', 'round-ended', 'round-began', 'ember-fell']),
    );

    const replay = (await game.replay(1))!;
    expect(replay.durationMs).toBe(3000);
    const taken: number[] = [];
    for (const ms of [0, 1000, 2000, 3000]) {
      const { owners } = await replay.fieldAt(ms);
      taken.push(owners.filter((owner) => owner > 0).length);
    }
    expect(taken).toEqual([...taken].sort((a, b) => a - b));
    expect(taken[1]).toBeGreaterThan(0);
    const inReplay = new Map(replay.players.map(({ id, tiles }) => [id, tiles]));
    for (const { player, tiles } of result!.ranking) expect(inReplay.get(player)).toBe(tiles);
    expect(await game.replay(9)).toBeUndefined();
  } finally {
    await game.close();
  }
});
