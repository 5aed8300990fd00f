import { COLUMNS, ROWS, tileUnder, turned } from './world.ts';

/** Tiles a second. */
export const SPEED = 7.5;
export const FAST_SPEED = 13;
/** How quickly a spark turns, in radians a second; a fast one turns as tightly. */
export const TURN_RATE = 6.5;
export const FAST_MS = 4_000;
export const WIDE_MS = 5_000;

/** A spark that glides; who has it moves it by `glide`. */
export interface Spark {
  x: number;
  y: number;
  heading: number;
  /** What is left of a burst of speed, and of a wide brush. */
  fastMs: number;
  wideMs: number;
}

/** No step is so long that a tile is passed over. */
const STEP_MS = 8;
/** Sparks stay this far within the border. */
const MARGIN = 0.3;

/**
 * Moves a spark on: it turns towards the heading that is wanted, the shorter way, and slides along the
 * border.
 * @param pace a part of the full speed
 * @param over told each tile that it comes to lie over, in order
 */
export function glide(
  spark: Spark,
  wanted: number | undefined,
  durationMs: number,
  over: (tile: number) => void,
  pace = 1,
): void {
  let tile = tileUnder(spark.x, spark.y);
  for (let left = durationMs; left > 0; left -= STEP_MS) {
    const stepMs = Math.min(STEP_MS, left);
    step(spark, wanted, stepMs / 1000, pace);
    spark.fastMs = Math.max(0, spark.fastMs - stepMs);
    spark.wideMs = Math.max(0, spark.wideMs - stepMs);
    const now = tileUnder(spark.x, spark.y);
    if (now === tile) continue;
    tile = now;
    over(tile);
  }
}

export function speedOf({ fastMs }: Pick<Spark, 'fastMs'>): number {
  return fastMs > 0 ? FAST_SPEED : SPEED;
}

function step(spark: Spark, wanted: number | undefined, seconds: number, pace: number): void {
  const speed = speedOf(spark) * pace;
  if (wanted !== undefined) {
    const most = TURN_RATE * (speed / SPEED) * seconds;
    const off = turned(wanted - spark.heading);
    spark.heading = turned(spark.heading + Math.min(most, Math.max(-most, off)));
  }
  const x = spark.x + Math.cos(spark.heading) * speed * seconds;
  const y = spark.y + Math.sin(spark.heading) * speed * seconds;
  spark.x = Math.min(COLUMNS - MARGIN, Math.max(MARGIN, x));
  spark.y = Math.min(ROWS - MARGIN, Math.max(MARGIN, y));
  const isLeft = spark.x === MARGIN;
  const isRight = spark.x === COLUMNS - MARGIN;
  const isTop = spark.y === MARGIN;
  const isBottom = spark.y === ROWS - MARGIN;
  // Along the border, the way that it was going; out of a corner along its other side.
  if (spark.x !== x) {
    const isDown = isTop || (Math.sin(spark.heading) >= 0 && !isBottom);
    spark.heading = isDown ? Math.PI / 2 : -Math.PI / 2;
  } else if (spark.y !== y) {
    const isEast = isLeft || (Math.cos(spark.heading) >= 0 && !isRight);
    spark.heading = isEast ? 0 : Math.PI;
  }
}
