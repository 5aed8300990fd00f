import { COLUMNS, ROWS, TILES } from './world.ts';

/** Finds what somebody's tiles enclose. It keeps its working space, since it is asked often. */
export class Loops {
  readonly #reached = new Uint8Array(TILES);
  readonly #pending = new Uint16Array(TILES);

  /**
   * The tiles that are not one's own, and from which no way leads to the border but over one's own.
   * A way goes up, down and sideways: tiles that touch by a corner close a loop.
   * @param owners of each tile
   */
  enclosedBy(owner: number, owners: Uint8Array): number[] {
    this.#reached.fill(0);
    let count = 0;
    const reach = (tile: number): void => {
      if (this.#reached[tile] === 1 || owners[tile] === owner) return;
      this.#reached[tile] = 1;
      this.#pending[count++] = tile;
    };
    for (let x = 0; x < COLUMNS; x++) {
      reach(x);
      reach(TILES - 1 - x);
    }
    for (let y = 0; y < ROWS; y++) {
      reach(y * COLUMNS);
      reach(y * COLUMNS + COLUMNS - 1);
    }
    while (count > 0) {
      const tile = this.#pending[--count]!;
      const column = tile % COLUMNS;
      if (column > 0) reach(tile - 1);
      if (column < COLUMNS - 1) reach(tile + 1);
      if (tile >= COLUMNS) reach(tile - COLUMNS);
      if (tile < TILES - COLUMNS) reach(tile + COLUMNS);
    }
    const enclosed: number[] = [];
    for (let tile = 0; tile < TILES; tile++) {
      if (this.#reached[tile] === 0 && owners[tile] !== owner) enclosed.push(tile);
    }
    return enclosed;
  }
}
