import { type FieldLight, JOINS } from './field-light.ts';
import { NOISE_PX, paintNoise } from './noise.ts';

/** A frame has no time for more. */
const MOST_A_FRAME = 160;
const NOISE_TILES = 16;
const MOST_SIDE = 44;

/** Ground and tiles as they look when they have cooled: each is painted when it changes, and kept. */
export class Crust {
  readonly canvas: HTMLCanvasElement = document.createElement('canvas');
  readonly #context = this.canvas.getContext('2d')!;
  readonly #noise = paintNoise();
  #side = 0;
  #painted = new Int32Array(0);
  #next = 0;
  #pixels = new ImageData(1, 1);

  /** @param side of a tile, in pixels */
  update(field: FieldLight, side: number): void {
    this.#fit(field, Math.max(1, Math.min(MOST_SIDE, Math.round(side))));
    const { columns, tiles, heat } = field;
    const count = this.#painted.length;
    let left = MOST_A_FRAME;
    // From where the last frame has stopped: on a slow machine no row waits for those above it.
    for (let looked = 0; looked < count && left > 0; looked++) {
      const tile = this.#next;
      this.#next = (tile + 1) % count;
      const look = (heat[4 * tile + 3]! << 8) | tiles[4 * tile + 3]!;
      if (look === this.#painted[tile]) continue;
      this.#painted[tile] = look;
      this.#paint(tile % columns, Math.floor(tile / columns), tiles, 4 * tile);
      left--;
    }
  }

  #fit({ columns, rows, tiles }: FieldLight, side: number): void {
    if (side === this.#side && this.#painted.length === columns * rows) return;
    this.#side = side;
    this.#painted = new Int32Array(columns * rows);
    this.#next = 0;
    this.#pixels = new ImageData(side, side);
    this.canvas.width = columns * side;
    this.canvas.height = rows * side;
    const none = new Uint8Array(4);
    for (let tile = 0; tile < tiles.length / 4; tile++) {
      this.#paint(tile % columns, Math.floor(tile / columns), none, 0);
    }
  }

  /** @param at where in `tiles` its colour and joins are */
  #paint(column: number, row: number, tiles: Uint8Array, at: number): void {
    const side = this.#side;
    const { data } = this.#pixels;
    const joins = tiles[at + 3]!;
    const base = [tiles[at]!, tiles[at + 1]!, tiles[at + 2]!].map((value) => (value / 255) ** 2);
    const isOwned = base.some((value) => value > 0);
    const depth = count(joins) / 8;
    for (let y = 0, to = 0; y < side; y++) {
      for (let x = 0; x < side; x++, to += 4) {
        const fx = (x + 0.5) / side;
        const fy = (y + 0.5) / side;
        const noiseX = Math.floor(((column + fx) * NOISE_PX) / NOISE_TILES) % NOISE_PX;
        const noiseY = Math.floor(((row + fy) * NOISE_PX) / NOISE_TILES) % NOISE_PX;
        const noiseAt = 4 * (noiseY * NOISE_PX + noiseX);
        const fine = this.#noise[noiseAt]! / 255;
        const wide = this.#noise[noiseAt + 1]! / 255;
        const veins = this.#noise[noiseAt + 2]! / 255;
        const plate = roundedSquare(fx - 0.5, fy - 0.5, 0.44, 0.14);
        const isPlate = within(plate, side);
        const ground =
          0.0026 +
          isPlate * (0.0068 + 0.005 * within(-plate - 0.06, side)) * (0.6 + 0.8 * (wide - 0.5));
        const shape = isOwned ? meltedSquare(fx - 0.5, fy - 0.5, joins) : 1;
        const inside = within(shape, side);
        const coals = smoothstep(0.25, 0.85, fine * 0.5 + wide * 0.5);
        const rim = Math.exp(shape * 7);
        const light = 0.05 + 0.05 * depth + 0.2 * coals + 0.32 * veins + 0.42 * rim;
        for (let channel = 0; channel < 3; channel++) {
          const ember = base[channel]! * light;
          data[to + channel] = shade(ground + (ember - ground) * inside);
        }
        data[to + 3] = 255;
      }
    }
    this.#context.putImageData(this.#pixels, column * side, row * side);
  }
}

/** Below 0 within it. */
function roundedSquare(x: number, y: number, half: number, radius: number): number {
  const qx = Math.abs(x) - (half - radius);
  const qy = Math.abs(y) - (half - radius);
  const outside = Math.hypot(Math.max(qx, 0), Math.max(qy, 0));
  return outside + Math.min(Math.max(qx, qy), 0) - radius;
}

/** A tile that is one with those of its neighbours that it joins. */
function meltedSquare(x: number, y: number, joins: number): number {
  const joinsX = (joins & (x > 0 ? JOINS.east : JOINS.west)) !== 0;
  const joinsY = (joins & (y > 0 ? JOINS.south : JOINS.north)) !== 0;
  if (joinsX && joinsY) {
    const corner = x > 0 ? (y > 0 ? JOINS.se : JOINS.ne) : y > 0 ? JOINS.sw : JOINS.nw;
    if ((joins & corner) !== 0) return -0.5;
    return 0.16 - Math.hypot(0.53 - Math.abs(x), 0.53 - Math.abs(y));
  }
  if (joinsX) return Math.abs(y) - 0.455;
  if (joinsY) return Math.abs(x) - 0.455;
  return roundedSquare(x, y, 0.455, 0.2);
}

/** 1 inside a shape, 0 outside of it, between them at its edge. */
function within(shape: number, side: number): number {
  return Math.min(1, Math.max(0, 0.5 - shape * side));
}

function smoothstep(from: number, to: number, value: number): number {
  const share = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return share * share * (3 - 2 * share);
}

/** From light to what screens show. */
function shade(light: number): number {
  return 255 * Math.sqrt(1 - Math.exp(-1.7 * light));
}

function count(mask: number): number {
  let bits = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
