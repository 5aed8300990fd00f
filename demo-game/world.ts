/**
 * The field: its tiles, counted row by row, and the chunks in which the ledger keeps them. A chunk is
 * a square of tiles with a document of its own, so that a round is some hundred documents, and people
 * who play in different places write different ones.
 */
export const COLUMNS = 48;
export const ROWS = 32;
export const TILES: number = COLUMNS * ROWS;

export const CHUNK_SIDE = 4;
export const CHUNK_TILES: number = CHUNK_SIDE * CHUNK_SIDE;
const CHUNK_COLUMNS = COLUMNS / CHUNK_SIDE;
export const CHUNKS: number = TILES / CHUNK_TILES;

export const MOST_PLAYERS = 8;

/** The tile under a point; of one beyond the border the nearest. */
export function tileUnder(x: number, y: number): number {
  const column = Math.min(COLUMNS - 1, Math.max(0, Math.floor(x)));
  const row = Math.min(ROWS - 1, Math.max(0, Math.floor(y)));
  return row * COLUMNS + column;
}

/** The chunk that a tile lies in. */
export function chunkOf(tile: number): number {
  const row = Math.floor(tile / COLUMNS);
  const column = tile % COLUMNS;
  return Math.floor(row / CHUNK_SIDE) * CHUNK_COLUMNS + Math.floor(column / CHUNK_SIDE);
}

/** Where in its chunk a tile lies, row by row. */
export function placeInChunk(tile: number): number {
  const row = Math.floor(tile / COLUMNS);
  const column = tile % COLUMNS;
  return (row % CHUNK_SIDE) * CHUNK_SIDE + (column % CHUNK_SIDE);
}

export function tileInChunk(chunk: number, place: number): number {
  const row = Math.floor(chunk / CHUNK_COLUMNS) * CHUNK_SIDE + Math.floor(place / CHUNK_SIDE);
  const column = (chunk % CHUNK_COLUMNS) * CHUNK_SIDE + (place % CHUNK_SIDE);
  return row * COLUMNS + column;
}

/** The tiles that a spark over this one burns: itself, with a wide brush all around it too. */
export function forBrush(tile: number, isWide: boolean, burn: (tile: number) => void): void {
  if (!isWide) {
    burn(tile);
    return;
  }
  const column = tile % COLUMNS;
  const row = Math.floor(tile / COLUMNS);
  for (let y = Math.max(0, row - 1); y <= Math.min(ROWS - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(COLUMNS - 1, column + 1); x++) {
      burn(y * COLUMNS + x);
    }
  }
}

/** Where a spark appears: one of eight places around the middle, looking along the ring. */
export function startPlace(index: number): { x: number; y: number; heading: number } {
  const angle = ((index % MOST_PLAYERS) / MOST_PLAYERS) * 2 * Math.PI;
  return {
    x: COLUMNS / 2 + Math.cos(angle) * COLUMNS * 0.32,
    y: ROWS / 2 + Math.sin(angle) * ROWS * 0.32,
    heading: turned(angle + Math.PI / 2),
  };
}

/** An angle as one from -π to π. */
export function turned(angle: number): number {
  const around = angle % (2 * Math.PI);
  if (around > Math.PI) return around - 2 * Math.PI;
  return around < -Math.PI ? around + 2 * Math.PI : around;
}
