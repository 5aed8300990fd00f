import { COLUMNS, ROWS, TILES } from './world.ts';

/** What is larger than so many tiles is no loop: else who circles the field would have it all. */
export const LARGEST_LOOP = 128;

/** Finds what somebody's tiles enclose. It keeps its working space, since it is asked often. */
export class Loops {
  readonly #reached = new Uint8Array(TILES);
  readonly #pending = new Uint16Array(TILES);
  #owners: Uint8Array = this.#reached;
  #owner = 0;

  /**
   * The tiles that are not one's own, and from which no way leads to the border, nor around in more than
   * `LARGEST_LOOP` tiles, but over one's own. A way goes up, down and sideways: tiles that touch by a
   * corner close a loop.
   * @param owners of each tile
   */
  enclosedBy(owner: number, owners: Uint8Array): number[] {
    this.#reached.fill(0);
    this.#owner = owner;
    this.#owners = owners;
    for (let x = 0; x < COLUMNS; x++) {
      this.#spread(x);
      this.#spread(TILES - 1 - x);
    }
    for (let y = 0; y < ROWS; y++) {
      this.#spread(y * COLUMNS);
      this.#spread(y * COLUMNS + COLUMNS - 1);
    }
    const enclosed: number[] = [];
    for (let tile = 0; tile < TILES; tile++) {
      const size = this.#spread(tile);
      if (size === 0 || size > LARGEST_LOOP) continue;
      for (let at = 0; at < size; at++) enclosed.push(this.#pending[at]!);
    }
    return enclosed;
  }

  /** Reaches all that can be reached from a tile; how many that is, which `#pending` begins with. */
  #spread(from: number): number {
    let count = this.#reach(from, 0);
    for (let at = 0; at < count; at++) {
      const tile = this.#pending[at]!;
      const column = tile % COLUMNS;
      if (column > 0) count = this.#reach(tile - 1, count);
      if (column < COLUMNS - 1) count = this.#reach(tile + 1, count);
      if (tile >= COLUMNS) count = this.#reach(tile - COLUMNS, count);
      if (tile < TILES - COLUMNS) count = this.#reach(tile + COLUMNS, count);
    }
    return count;
  }

  #reach(tile: number, count: number): number {
    if (this.#reached[tile] === 1 || this.#owners[tile] === this.#owner) return count;
    this.#reached[tile] = 1;
    this.#pending[count] = tile;
    return count + 1;
  }
}
