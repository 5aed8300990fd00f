import type { FieldView, PlayerView } from '../scene.ts';
import { type Rgb, rgbOf, tintOf } from './palette.ts';

/** How far the light of tiles reaches beyond the field, in tiles. */
export const GLOW_MARGIN = 4;
const COOLING_MS = 1500;
const FLASH_MS = 700;
const SPARKLE_MS = 2600;
const BLUR = 2;

/** Which neighbours of a tile are of its colour. */
export const JOINS = { east: 1, south: 2, west: 4, north: 8, se: 16, sw: 32, nw: 64, ne: 128 };
const NEIGHBOURS: readonly (readonly [number, number, number])[] = [
  [1, 0, JOINS.east],
  [0, 1, JOINS.south],
  [-1, 0, JOINS.west],
  [0, -1, JOINS.north],
  [1, 1, JOINS.se],
  [-1, 1, JOINS.sw],
  [-1, -1, JOINS.nw],
  [1, -1, JOINS.ne],
];

/**
 * How each tile looks now, in three small pictures that a painter enlarges. Changes that are to be seen as
 * a wave are shown later than they happened: until then a tile looks as it did.
 */
export class FieldLight {
  readonly columns: number;
  readonly rows: number;
  /** Of each tile: red, green, blue of its owner (0 for nobody's), and its `JOINS`. */
  readonly tiles: Uint8Array;
  /** Of each tile: how hot it is, how brightly it flashes, how much of its own is around it, and one more than its tint. */
  readonly heat: Uint8Array;
  /** Light that falls on everything: red, green, blue; wider than the field by `GLOW_MARGIN` on all sides. Square roots, for finer shades in the dark. */
  readonly glow: Uint8Array;
  readonly glowColumns: number;
  readonly glowRows: number;
  readonly #shown: Uint8Array;
  readonly #shownAt: Float64Array;
  readonly #revealAt: Float64Array;
  readonly #flashAt: Float64Array;
  readonly #sparkleUntil: Float64Array;
  readonly #rivals: Uint8Array;
  /** Light by colour channel, and where it is spread. */
  readonly #light: readonly [Float32Array, Float32Array, Float32Array];
  readonly #spare: Float32Array;
  #isNew = true;

  constructor(columns: number, rows: number) {
    const count = columns * rows;
    this.columns = columns;
    this.rows = rows;
    this.tiles = new Uint8Array(4 * count);
    this.heat = new Uint8Array(4 * count);
    this.#shown = new Uint8Array(count);
    this.#shownAt = new Float64Array(count);
    this.#revealAt = new Float64Array(count);
    this.#flashAt = new Float64Array(count);
    this.#sparkleUntil = new Float64Array(count);
    this.#rivals = new Uint8Array(count);
    this.glowColumns = columns + 2 * GLOW_MARGIN;
    this.glowRows = rows + 2 * GLOW_MARGIN;
    const around = this.glowColumns * this.glowRows;
    this.glow = new Uint8Array(4 * around);
    this.#light = [new Float32Array(around), new Float32Array(around), new Float32Array(around)];
    this.#spare = new Float32Array(around);
  }

  /** Shows a change of this tile at that time, with a flash if it is wanted. */
  reveal(tile: number, atMs: number, withFlash: boolean): void {
    this.#revealAt[tile] = atMs;
    if (withFlash) this.#flashAt[tile] = atMs;
  }

  /** Lets a tile change between its colour and that of somebody who took it too. */
  sparkle(tile: number, rival: number, atMs: number): void {
    this.#sparkleUntil[tile] = atMs + SPARKLE_MS;
    this.#rivals[tile] = tintOf(rival);
  }

  /** Everything cools: a new round has an empty field. */
  clear(): void {
    for (const times of [this.#revealAt, this.#flashAt, this.#sparkleUntil]) times.fill(0);
  }

  update(field: FieldView, players: readonly PlayerView[], nowMs: number): void {
    this.#show(field, nowMs);
    this.#join();
    this.#paint(field, players, nowMs);
    for (const channel of this.#light) {
      this.#spread(channel);
      this.#spread(channel);
    }
  }

  /** Adds a light, to be seen after `bake`. Call it after `update`. */
  shine(x: number, y: number, radius: number, tint: Rgb, strength: number): void {
    const reach = Math.ceil(radius * 2);
    const centreX = x + GLOW_MARGIN - 0.5;
    const centreY = y + GLOW_MARGIN - 0.5;
    const right = Math.min(this.glowColumns - 1, Math.floor(centreX + reach));
    const bottom = Math.min(this.glowRows - 1, Math.floor(centreY + reach));
    const [red, green, blue] = this.#light;
    const falling = -1 / (radius * radius);
    for (let row = Math.max(0, Math.ceil(centreY - reach)); row <= bottom; row++) {
      for (let column = Math.max(0, Math.ceil(centreX - reach)); column <= right; column++) {
        const dx = column - centreX;
        const dy = row - centreY;
        const light = strength * Math.exp((dx * dx + dy * dy) * falling);
        const at = row * this.glowColumns + column;
        red[at]! += light * linear(tint[0]);
        green[at]! += light * linear(tint[1]);
        blue[at]! += light * linear(tint[2]);
      }
    }
  }

  /** Makes `glow` of all light. */
  bake(): void {
    const [red, green, blue] = this.#light;
    for (let i = 0, at = 0; i < red.length; i++, at += 4) {
      this.glow[at] = 255 * Math.min(1, Math.sqrt(red[i]!));
      this.glow[at + 1] = 255 * Math.min(1, Math.sqrt(green[i]!));
      this.glow[at + 2] = 255 * Math.min(1, Math.sqrt(blue[i]!));
      this.glow[at + 3] = 255;
    }
  }

  #show({ owners, takenAt }: FieldView, nowMs: number): void {
    for (let tile = 0; tile < owners.length; tile++) {
      const owner = owners[tile]!;
      if (owner === this.#shown[tile] || nowMs < this.#revealAt[tile]!) continue;
      this.#shown[tile] = owner;
      // What is found at the beginning has cooled already.
      this.#shownAt[tile] = this.#isNew
        ? takenAt[tile]!
        : Math.max(takenAt[tile]!, this.#revealAt[tile]!);
    }
    this.#isNew = false;
  }

  #join(): void {
    const { columns, rows, tiles } = this;
    const shown = this.#shown;
    for (let row = 0, tile = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, tile++) {
        const owner = shown[tile]!;
        let joins = 0;
        if (owner !== 0) {
          for (const [dx, dy, bit] of NEIGHBOURS) {
            const x = column + dx;
            const y = row + dy;
            if (x < 0 || y < 0 || x >= columns || y >= rows) continue;
            if (shown[tile + dy * columns + dx] === owner) joins |= bit;
          }
        }
        tiles[4 * tile + 3] = joins;
      }
    }
  }

  #paint({ owners }: FieldView, players: readonly PlayerView[], nowMs: number): void {
    const { columns, rows, tiles, heat } = this;
    const [red, green, blue] = this.#light;
    for (const channel of this.#light) channel.fill(0);
    for (let row = 0, tile = 0; row < rows; row++) {
      let lightAt = (row + GLOW_MARGIN) * this.glowColumns + GLOW_MARGIN;
      for (let column = 0; column < columns; column++, tile++, lightAt++) {
        const at = 4 * tile;
        const player = players[this.#shown[tile]! - 1];
        if (player === undefined) {
          tiles[at] = tiles[at + 1] = tiles[at + 2] = 0;
          heat[at] = heat[at + 1] = heat[at + 2] = heat[at + 3] = 0;
          continue;
        }
        const isSparkling = nowMs < this.#sparkleUntil[tile]! && owners[tile] !== 0;
        // Each at its own pace.
        const turn = Math.sin(nowMs / 90 + tile * 1.7) > 0;
        const colour = isSparkling && turn ? this.#rivals[tile]! : player.colour;
        const rgb = rgbOf(colour);
        const hot = Math.exp((this.#shownAt[tile]! - nowMs) / COOLING_MS);
        const since = (nowMs - this.#flashAt[tile]!) / FLASH_MS;
        let flash = since < 0 || since > 1 ? 0 : (1 - since) * (1 - since);
        if (isSparkling) flash = Math.max(flash, 0.35 * Math.random());
        const mass = bits(tiles[at + 3]!) / 8;
        tiles[at] = rgb[0];
        tiles[at + 1] = rgb[1];
        tiles[at + 2] = rgb[2];
        heat[at] = 255 * hot;
        heat[at + 1] = 255 * flash;
        heat[at + 2] = 255 * mass;
        heat[at + 3] = tintOf(colour) + 1;
        const light = 0.1 + 0.12 * mass + 0.55 * hot + 0.9 * flash;
        red[lightAt] = light * linear(rgb[0]);
        green[lightAt] = light * linear(rgb[1]);
        blue[lightAt] = light * linear(rgb[2]);
      }
    }
  }

  /** Spreads light over its neighbourhood: running sums, along rows and then along columns. */
  #spread(channel: Float32Array): void {
    const { glowColumns: columns, glowRows: rows } = this;
    const spare = this.#spare;
    for (let row = 0; row < rows; row++) average(channel, spare, row * columns, 1, columns);
    for (let column = 0; column < columns; column++) average(spare, channel, column, columns, rows);
  }
}

function average(
  from: Float32Array,
  to: Float32Array,
  start: number,
  step: number,
  count: number,
): void {
  let sum = 0;
  for (let i = 0; i < BLUR; i++) sum += from[start + i * step]!;
  for (let i = 0; i < count; i++) {
    if (i + BLUR < count) sum += from[start + (i + BLUR) * step]!;
    if (i > BLUR) sum -= from[start + (i - BLUR - 1) * step]!;
    to[start + i * step] = sum / (2 * BLUR + 1);
  }
}

/** Near enough to what screens do. */
function linear(value: number): number {
  return (value * value) / 65_025;
}

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
