import { paintAtlas, SHAPE_PX } from './atlas.ts';
import { Crust } from './crust.ts';
import { type FieldLight, GLOW_MARGIN } from './field-light.ts';
import type { Painter, Picture } from './painter.ts';
import { TINTS } from './palette.ts';
import { SPRITE_SIZE } from './sprites.ts';

/** How far the light of a wave reaches behind it. */
const WAVE_TILES = 4;

/** Paints where there is no WebGL: the same light, without the fire in it. */
export class CanvasPainter implements Painter {
  readonly #context: CanvasRenderingContext2D;
  readonly #tinted: readonly HTMLCanvasElement[];
  readonly #crust = new Crust();
  readonly #tiles = document.createElement('canvas');
  readonly #glow = document.createElement('canvas');
  #tilePixels: ImageData | undefined;
  #glowPixels: ImageData | undefined;

  constructor(context: CanvasRenderingContext2D) {
    this.#context = context;
    const atlas = paintAtlas();
    this.#tinted = TINTS.map((rgb) => tinted(atlas, `rgb(${rgb.join(' ')})`));
  }

  /** A canvas is as large as it is. */
  resize(): void {}

  paint(picture: Picture): void {
    const context = this.#context;
    const { canvas } = context;
    const { view, field } = picture;
    const ratio = canvas.width / view.width;
    const scale = view.scale * ratio;
    const x = -view.left * scale;
    const y = -view.top * scale;
    const width = field.columns * scale;
    const height = field.rows * scale;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalCompositeOperation = 'source-over';
    context.globalAlpha = 1;
    context.fillStyle = '#0d0b0c';
    context.fillRect(0, 0, canvas.width, canvas.height);
    this.#crust.update(field, scale);
    context.drawImage(this.#crust.canvas, x, y, width, height);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#tileCanvas(field), x, y, width, height);
    context.imageSmoothingEnabled = true;
    if (picture.hasPatterns) this.#paintPatterns(field, x, y, scale);
    this.#paintGlow(field, x, y, scale);
    context.globalAlpha = 1;
    context.strokeStyle = 'rgb(120 84 60 / 0.5)';
    context.lineWidth = Math.max(1, 0.06 * scale);
    context.strokeRect(x, y, width, height);
    this.#paintWave(picture, x, y, scale);
    this.#paintSprites(picture, x, y, scale);
    if (picture.lonely > 0) this.#paintLoneliness(picture, x, y, scale);
    context.globalCompositeOperation = 'source-over';
  }

  /** What is hot, over the crust. */
  #tileCanvas({ columns, rows, tiles, heat }: FieldLight): HTMLCanvasElement {
    const pixels = (this.#tilePixels ??= sized(this.#tiles, columns, rows));
    const { data } = pixels;
    for (let at = 0; at < data.length; at += 4) {
      const hot = heat[at]! / 255;
      const flash = heat[at + 1]! / 255;
      const white = 130 * hot * hot * hot + 90 * flash;
      data[at] = tiles[at]! + white;
      data[at + 1] = tiles[at + 1]! + 0.85 * white;
      data[at + 2] = tiles[at + 2]! + 0.6 * white;
      data[at + 3] = 255 * Math.min(1, 0.95 * hot + flash);
    }
    this.#tiles.getContext('2d')!.putImageData(pixels, 0, 0);
    return this.#tiles;
  }

  #glowCanvas({ glow, glowColumns, glowRows }: FieldLight): HTMLCanvasElement {
    const pixels = (this.#glowPixels ??= sized(this.#glow, glowColumns, glowRows));
    pixels.data.set(glow);
    this.#glow.getContext('2d')!.putImageData(pixels, 0, 0);
    return this.#glow;
  }

  /** Light brings out what it falls on, and hangs a little in the air. */
  #paintGlow(field: FieldLight, x: number, y: number, scale: number): void {
    const context = this.#context;
    const glow = this.#glowCanvas(field);
    const left = x - GLOW_MARGIN * scale;
    const top = y - GLOW_MARGIN * scale;
    const width = field.glowColumns * scale;
    const height = field.glowRows * scale;
    for (const [mode, strength] of [
      ['color-dodge', 0.4],
      ['lighter', 0.22],
    ] as const) {
      context.globalCompositeOperation = mode;
      context.globalAlpha = strength;
      context.drawImage(glow, left, top, width, height);
    }
  }

  #paintPatterns({ columns, heat }: FieldLight, x: number, y: number, scale: number): void {
    const context = this.#context;
    const soot = this.#tinted.at(-1)!;
    context.globalAlpha = 0.55;
    for (let tile = 0; tile < heat.length / 4; tile++) {
      const mark = heat[4 * tile + 3]!;
      if (mark === 0) continue;
      const left = x + (tile % columns) * scale + 0.17 * scale;
      const top = y + Math.floor(tile / columns) * scale + 0.17 * scale;
      const from = (mark - 1) * SHAPE_PX;
      context.drawImage(soot, from, 0, SHAPE_PX, SHAPE_PX, left, top, 0.66 * scale, 0.66 * scale);
    }
    context.globalAlpha = 1;
  }

  #paintWave({ wave }: Picture, x: number, y: number, scale: number): void {
    if (wave.strength <= 0) return;
    const context = this.#context;
    const atX = x + wave.x * scale;
    const atY = y + wave.y * scale;
    // Steep in front, and long behind.
    const front = (wave.radius + 0.7) * scale;
    const behind = Math.max(0, wave.radius - WAVE_TILES) * scale;
    const crest = (wave.radius * scale - behind) / (front - behind);
    const light = context.createRadialGradient(atX, atY, behind, atX, atY, front);
    light.addColorStop(0, 'rgb(255 214 170 / 0)');
    light.addColorStop(crest * 0.6, `rgb(255 200 150 / ${0.07 * wave.strength})`);
    light.addColorStop(crest, `rgb(255 226 190 / ${0.34 * wave.strength})`);
    light.addColorStop(1, 'rgb(255 214 170 / 0)');
    context.globalCompositeOperation = 'lighter';
    context.strokeStyle = light;
    context.lineWidth = front - behind;
    context.beginPath();
    context.arc(atX, atY, (front + behind) / 2, 0, 2 * Math.PI);
    context.stroke();
  }

  #paintSprites(
    { sprites: { values, count } }: Picture,
    x: number,
    y: number,
    scale: number,
  ): void {
    const context = this.#context;
    for (let at = 0; at < count * SPRITE_SIZE; at += SPRITE_SIZE) {
      const halfWidth = values[at + 2]! * scale;
      const halfHeight = values[at + 3]! * scale;
      const angle = values[at + 4]!;
      const cos = Math.cos(angle);
      const sin = Math.sin(angle);
      context.setTransform(
        cos,
        sin,
        -sin,
        cos,
        x + values[at]! * scale,
        y + values[at + 1]! * scale,
      );
      context.globalCompositeOperation = values[at + 8]! > 0 ? 'source-over' : 'lighter';
      context.globalAlpha = Math.min(1, values[at + 8]! > 0 ? values[at + 8]! : values[at + 7]!);
      context.drawImage(
        this.#tinted[values[at + 6]!]!,
        values[at + 5]! * SHAPE_PX,
        0,
        SHAPE_PX,
        SHAPE_PX,
        -halfWidth,
        -halfHeight,
        2 * halfWidth,
        2 * halfHeight,
      );
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
  }

  #paintLoneliness({ lonely, selfX, selfY }: Picture, x: number, y: number, scale: number): void {
    const context = this.#context;
    const { width, height } = context.canvas;
    const atX = x + selfX * scale;
    const atY = y + selfY * scale;
    const fill = (mode: GlobalCompositeOperation, colour: string, strength: number): void => {
      const fading = context.createRadialGradient(atX, atY, 5 * scale, atX, atY, 15 * scale);
      fading.addColorStop(0, `rgb(${colour} / 0)`);
      fading.addColorStop(1, `rgb(${colour} / ${strength * lonely})`);
      context.fillStyle = fading;
      context.globalCompositeOperation = mode;
      context.fillRect(0, 0, width, height);
    };
    fill('saturation', '128 128 128', 0.9);
    fill('multiply', '120 145 190', 0.75);
  }
}

function tinted(atlas: HTMLCanvasElement, colour: string): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = atlas.width;
  canvas.height = atlas.height;
  const context = canvas.getContext('2d')!;
  context.drawImage(atlas, 0, 0);
  context.globalCompositeOperation = 'source-in';
  context.fillStyle = colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}

function sized(canvas: HTMLCanvasElement, width: number, height: number): ImageData {
  canvas.width = width;
  canvas.height = height;
  return new ImageData(width, height);
}
