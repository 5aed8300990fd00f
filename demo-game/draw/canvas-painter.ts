import { paintAtlas, SHAPE_PX } from './atlas.ts';
import { type FieldLight, GLOW_MARGIN } from './field-light.ts';
import type { Painter, Picture } from './painter.ts';
import { TINTS } from './palette.ts';
import { SPRITE_SIZE } from './sprites.ts';

/** Paints where there is no WebGL: the same light, without the fire in it. */
export class CanvasPainter implements Painter {
  readonly #context: CanvasRenderingContext2D;
  readonly #tinted: readonly HTMLCanvasElement[];
  readonly #tiles = document.createElement('canvas');
  readonly #glow = document.createElement('canvas');
  #tilePixels: ImageData | undefined;
  #glowPixels: ImageData | undefined;
  #plates: CanvasPattern | undefined;
  #platesScale = 0;

  constructor(context: CanvasRenderingContext2D) {
    this.#context = context;
    const atlas = paintAtlas();
    this.#tinted = TINTS.map((rgb) => tinted(atlas, `rgb(${rgb.join(' ')})`));
  }

  resize(): void {
    this.#platesScale = 0;
  }

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
    this.#paintPlates(x, y, width, height, scale);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#tileCanvas(picture), x, y, width, height);
    context.imageSmoothingEnabled = true;
    if (picture.hasPatterns) this.#paintPatterns(field, x, y, scale);
    context.globalCompositeOperation = 'lighter';
    context.globalAlpha = 0.42;
    context.drawImage(
      this.#glowCanvas(field),
      x - GLOW_MARGIN * scale,
      y - GLOW_MARGIN * scale,
      field.glowColumns * scale,
      field.glowRows * scale,
    );
    context.globalAlpha = 1;
    context.strokeStyle = 'rgb(120 84 60 / 0.5)';
    context.lineWidth = Math.max(1, 0.06 * scale);
    context.strokeRect(x, y, width, height);
    this.#paintWave(picture, x, y, scale);
    this.#paintSprites(picture, x, y, scale);
    if (picture.lonely > 0) this.#paintLoneliness(picture, x, y, scale);
    context.globalCompositeOperation = 'source-over';
  }

  #paintPlates(x: number, y: number, width: number, height: number, scale: number): void {
    const context = this.#context;
    if (this.#platesScale !== scale) {
      const side = Math.max(1, Math.round(scale));
      const plate = document.createElement('canvas');
      plate.width = plate.height = side;
      const pen = plate.getContext('2d')!;
      pen.fillStyle = '#141112';
      pen.fillRect(0, 0, side, side);
      pen.fillStyle = '#1d191a';
      pen.beginPath();
      pen.roundRect(side * 0.07, side * 0.07, side * 0.86, side * 0.86, side * 0.16);
      pen.fill();
      this.#plates = context.createPattern(plate, 'repeat')!;
      this.#platesScale = scale;
    }
    const exact = scale / Math.max(1, Math.round(scale));
    context.save();
    context.translate(x, y);
    context.scale(exact, exact);
    context.fillStyle = this.#plates!;
    context.fillRect(0, 0, width / exact, height / exact);
    context.restore();
  }

  #tileCanvas({ field, nowMs, isCalm }: Picture): HTMLCanvasElement {
    const { columns, rows, tiles, heat } = field;
    const pixels = (this.#tilePixels ??= sized(this.#tiles, columns, rows));
    const { data } = pixels;
    for (let tile = 0, at = 0; at < data.length; tile++, at += 4) {
      data[at + 3] = heat[at + 3] === 0 ? 0 : 255;
      const hot = heat[at]! / 255;
      const breath = isCalm ? 0.5 : 0.5 + 0.5 * Math.sin(nowMs / 1100 + tile * 2.4);
      const ember = 0.5 + 0.16 * (heat[at + 2]! / 255) + 0.1 * breath;
      const light = ember + (1.05 - ember) * hot;
      const white = 150 * hot * hot + 190 * (heat[at + 1]! / 255);
      data[at] = tiles[at]! * light + white;
      data[at + 1] = tiles[at + 1]! * light + 0.9 * white;
      data[at + 2] = tiles[at + 2]! * light + 0.75 * white;
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
    context.globalCompositeOperation = 'lighter';
    context.strokeStyle = `rgb(255 214 170 / ${0.3 * wave.strength})`;
    context.lineWidth = 1.6 * scale;
    context.beginPath();
    context.arc(x + wave.x * scale, y + wave.y * scale, wave.radius * scale, 0, 2 * Math.PI);
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
    const fading = context.createRadialGradient(atX, atY, 5 * scale, atX, atY, 15 * scale);
    fading.addColorStop(0, 'rgb(90 100 120 / 0)');
    fading.addColorStop(1, `rgb(90 100 120 / ${0.92 * lonely})`);
    context.fillStyle = fading;
    context.globalCompositeOperation = 'saturation';
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = 'multiply';
    context.globalAlpha = 0.5;
    context.fillRect(0, 0, width, height);
    context.globalAlpha = 1;
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
