import { expect, test } from 'vitest';
import type { View } from '../../demo-game/draw/camera.ts';
import type { Picture } from '../../demo-game/draw/painter.ts';
import { Spectacle } from '../../demo-game/draw/spectacle.ts';
import type { PlayerView, Scene } from '../../demo-game/scene.ts';
import { COLUMNS, ROWS, TILES } from '../../demo-game/world.ts';

const NOW = 10_000;
const VIEW: View = { left: 0, top: 0, scale: 20, width: 960, height: 640 };

function player(id: string, kind: PlayerView['kind'], colour: number): PlayerView {
  const spark = { x: 2.5, y: 2.5, heading: 0, speed: 8, fastMs: 0, wideMs: 0 };
  return { id, kind, name: id, colour, tiles: 0, spark };
}

/** A scene in which alice has these tiles, and how it is shown. */
function setting(isCalm: boolean): {
  readonly scene: Scene;
  readonly spectacle: Spectacle;
  /** @param atMs after the beginning */
  readonly picture: (atMs: number) => Picture;
} {
  const scene: Scene = {
    field: {
      columns: COLUMNS,
      rows: ROWS,
      owners: new Uint8Array(TILES),
      takenAt: new Float64Array(TILES),
    },
    round: { phase: 'playing', number: 1, remainingMs: 30_000 },
    players: [player('alice', 'me', 0), player('bob', 'friend', 1)],
    embers: [],
  };
  const spectacle = new Spectacle({ hasPatterns: false, isCalm });
  const picture = (atMs: number): Picture => spectacle.picture(scene, { ...VIEW }, NOW + atMs);
  picture(0);
  return { scene, spectacle, picture };
}

/** Alice takes these tiles by a loop. */
function closeLoop({ scene, spectacle }: ReturnType<typeof setting>, tiles: number[]): void {
  for (const tile of tiles) scene.field.owners[tile] = 1;
  spectacle.show({ kind: 'loop-closed', player: 'alice', tiles }, NOW);
}

const NEAR = 2 * COLUMNS + 4;
const FAR = 2 * COLUMNS + 40;

function isLit({ field }: Picture, tile: number): boolean {
  return field.heat[4 * tile + 3]! > 0;
}

function flash({ field }: Picture, tile: number): number {
  return field.heat[4 * tile + 1]!;
}

test('what a loop encloses lights up in a wave from where it was closed', () => {
  const shown = setting(false);
  closeLoop(shown, [NEAR, FAR]);
  const early = shown.picture(200);
  expect([isLit(early, NEAR), isLit(early, FAR)]).toEqual([true, false]);
  expect(flash(early, NEAR)).toBeGreaterThan(60);
  const late = shown.picture(2_000);
  expect([isLit(late, NEAR), isLit(late, FAR)]).toEqual([true, true]);
});

test('what nothing was told of is shown at once, and has cooled when it is of long ago', () => {
  const shown = setting(false);
  shown.scene.field.owners[FAR] = 2;
  const picture = shown.picture(16);
  expect(isLit(picture, FAR)).toBe(true);
  expect(picture.field.heat[4 * FAR]).toBe(0);
});

test('a tile that two have taken shows both colours before it is of one', () => {
  const shown = setting(false);
  shown.scene.field.owners[NEAR] = 1;
  shown.spectacle.show(
    { kind: 'merged', tiles: [NEAR], conflicts: [{ tile: NEAR, kept: 'alice', lost: ['bob'] }] },
    NOW,
  );
  const tints = new Set<number>();
  for (let atMs = 200; atMs < 2_000; atMs += 40) {
    tints.add(shown.picture(atMs).field.heat[4 * NEAR + 3]!);
  }
  expect(tints).toEqual(new Set([1, 2]));
  expect(shown.picture(6_000).field.heat[4 * NEAR + 3]).toBe(1);
});

test('nothing flashes, shakes or flickers for those who want it calm', () => {
  const shown = setting(true);
  const tiles = Array.from({ length: 30 }, (_, i) => NEAR + i);
  closeLoop(shown, tiles);
  shown.spectacle.show(
    {
      kind: 'merged',
      tiles,
      conflicts: tiles.map((tile) => ({ tile, kept: 'alice', lost: ['bob'] })),
    },
    NOW,
  );
  for (let atMs = 0; atMs < 3_000; atMs += 30) {
    const picture = shown.picture(atMs);
    expect(Math.max(...tiles.map((tile) => flash(picture, tile)))).toBe(0);
    expect(new Set(tiles.map((tile) => picture.field.heat[4 * tile + 3]))).not.toContain(2);
    expect([picture.view.left, picture.view.top]).toEqual([0, 0]);
  }
});

test('the world goes away when one is unplugged, and comes back', () => {
  const shown = setting(false);
  const lonely = (fromMs: number): number => {
    let last = 0;
    for (let atMs = fromMs; atMs < fromMs + 1_500; atMs += 16) last = shown.picture(atMs).lonely;
    return last;
  };
  shown.spectacle.show({ kind: 'connection', connection: { state: 'unplugged' } }, NOW);
  expect(shown.picture(16).lonely).toBeLessThan(0.1);
  expect(lonely(32)).toBe(1);
  shown.spectacle.show({ kind: 'connection', connection: { state: 'connecting' } }, NOW);
  expect(lonely(2_000)).toBe(0);
});
