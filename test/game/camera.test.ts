import { expect, test } from 'vitest';
import { Camera } from '../../demo-game/draw/camera.ts';
import { COLUMNS, ROWS } from '../../demo-game/world.ts';

function shown(width: number, height: number, x: number, y: number): Camera['view'] {
  const camera = new Camera(14);
  camera.resize(width, height);
  camera.look(COLUMNS, ROWS, { x, y }, 0);
  return camera.view;
}

test('a desktop shows the whole field', () => {
  const { left, top, scale, width, height } = shown(1032, 700, 3, 3);
  expect(left).toBeLessThanOrEqual(0);
  expect(top).toBeLessThanOrEqual(0);
  expect(left + width / scale).toBeGreaterThanOrEqual(COLUMNS);
  expect(top + height / scale).toBeGreaterThanOrEqual(ROWS);
});

test.each([
  ['standing', 360, 590],
  ['lying', 770, 346],
])('a phone that is %s shows tiles of at least 14 pixels, and always the own spark', (_, w, h) => {
  for (const x of [0.5, 11, 24, 47.5]) {
    for (const y of [0.5, 16, 31.5]) {
      const { left, top, scale } = shown(w, h, x, y);
      expect(scale).toBeGreaterThanOrEqual(14);
      const [atX, atY] = [(x - left) * scale, (y - top) * scale];
      expect(Math.min(atX, w - atX, atY, h - atY), `spark at ${x}, ${y}`).toBeGreaterThan(8);
    }
  }
});

test('it glides after the spark, and is there soon', () => {
  const camera = new Camera(14);
  camera.resize(360, 590);
  camera.look(COLUMNS, ROWS, { x: 12, y: 16 }, 0);
  const before = camera.view.left;
  camera.look(COLUMNS, ROWS, { x: 30, y: 16 }, 16);
  const next = camera.view.left;
  for (let nowMs = 32; nowMs < 2000; nowMs += 16) {
    camera.look(COLUMNS, ROWS, { x: 30, y: 16 }, nowMs);
  }
  expect(next - before).toBeGreaterThan(0);
  expect(next - before).toBeLessThan(3);
  expect(camera.view.left - before).toBeCloseTo(18, 0);
});
