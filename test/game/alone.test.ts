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
    console.log(
      JSON.stringify(result),
      events
        .map(({ kind }) => kind)
        .reduce(
          (all: Record<string, number>, kind) => ({ ...all, [kind]: (all[kind] ?? 0) + 1 }),
          {},
        ),
    );
    console.log((await game.ledger.allDocs()).rows.length, game.inviteLink);
  } finally {
    await game.close();
  }
});
