import { MARKS } from '../marks.ts';
import { SHAPE_COUNT, SHAPES } from './sprites.ts';

/** Side of a shape, in pixels. */
export const SHAPE_PX = 64;
const BOX = 24;
/** What is left free around marks, so that none bleeds into its neighbour. */
const PADDING_PX = 6;

/** All shapes in white, in one row. */
export function paintAtlas(): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = SHAPE_PX * SHAPE_COUNT;
  canvas.height = SHAPE_PX;
  const context = canvas.getContext('2d')!;
  context.fillStyle = '#fff';
  MARKS.forEach(({ path }, index) => fill(context, index, path));
  fill(context, SHAPES.bolt, 'M14 1 4 14h7l-2 9 11-14h-7z');
  fill(context, SHAPES.brush, 'M2 4h5v16H2zM9.5 4h5v16h-5zM17 4h5v16h-5z');
  light(context, SHAPES.glow, [0, 1, 0.12, 0.62, 0.3, 0.3, 0.55, 0.1, 0.8, 0.022, 1, 0]);
  light(context, SHAPES.dot, [0, 1, 0.22, 0.95, 0.4, 0.38, 0.7, 0.09, 1, 0]);
  light(context, SHAPES.ripple, [0, 0, 0.7, 0, 0.84, 0.5, 0.88, 1, 0.92, 0.4, 1, 0]);
  twinkle(context);
  return canvas;
}

function fill(context: CanvasRenderingContext2D, shape: number, path: string): void {
  const size = SHAPE_PX - 2 * PADDING_PX;
  context.save();
  context.translate(shape * SHAPE_PX + PADDING_PX, PADDING_PX);
  context.scale(size / BOX, size / BOX);
  context.fill(new Path2D(path), 'evenodd');
  context.restore();
}

/** @param stops pairs: how far from the middle, and how bright there */
function light(context: CanvasRenderingContext2D, shape: number, stops: readonly number[]): void {
  const middle = SHAPE_PX / 2;
  const x = shape * SHAPE_PX;
  const gradient = context.createRadialGradient(x + middle, middle, 0, x + middle, middle, middle);
  for (let i = 0; i < stops.length; i += 2) {
    gradient.addColorStop(stops[i]!, `rgb(255 255 255 / ${stops[i + 1]!})`);
  }
  context.save();
  context.fillStyle = gradient;
  context.fillRect(x, 0, SHAPE_PX, SHAPE_PX);
  context.restore();
}

function twinkle(context: CanvasRenderingContext2D): void {
  const middle = SHAPE_PX / 2;
  const pixels = context.createImageData(SHAPE_PX, SHAPE_PX);
  for (let y = 0; y < SHAPE_PX; y++) {
    for (let x = 0; x < SHAPE_PX; x++) {
      const dx = Math.abs(x + 0.5 - middle) / middle;
      const dy = Math.abs(y + 0.5 - middle) / middle;
      const rays = Math.exp(-dx * dy * 220 - 2.2 * (dx + dy)) * (1 - Math.max(dx, dy));
      const at = 4 * (y * SHAPE_PX + x);
      pixels.data.fill(255, at, at + 3);
      pixels.data[at + 3] = 255 * Math.min(1, 1.6 * rays);
    }
  }
  context.putImageData(pixels, SHAPES.twinkle * SHAPE_PX, 0);
}
