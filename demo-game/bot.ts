import type { Ember } from './ember-rain.ts';
import { glide, type Spark } from './glide.ts';
import { COLUMNS, ROWS, startPlace } from './world.ts';

/** A part of the speed of people. */
const PACE = 0.55;
/** A way point is reached at this distance, in tiles. */
const NEAR = 1.3;
/** Of embers it sees those that lie so near. */
const SIGHT = 9;
const MARGIN = 2;

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Somebody to play against: it draws small loops, wanders on, and likes embers. */
export class Bot {
  readonly id: string;
  readonly spark: Spark;
  readonly #random: () => number;
  #way: Point[] = [];

  /** @param random from 0 to 1 at each call */
  constructor(id: string, index: number, random: () => number) {
    this.id = id;
    this.#random = random;
    this.spark = { ...startPlace(2 + index * 3), fastMs: 0, wideMs: 0 };
  }

  /** Glides on for a while. */
  move(durationMs: number, embers: readonly Ember[], over: (tile: number) => void): void {
    const { spark } = this;
    let next = this.#way[0];
    while (next !== undefined && Math.hypot(next.x - spark.x, next.y - spark.y) < NEAR) {
      this.#way.shift();
      next = this.#way[0];
    }
    if (next === undefined) {
      this.#way = this.#plan(embers);
      next = this.#way[0]!;
    }
    glide(spark, Math.atan2(next.y - spark.y, next.x - spark.x), durationMs, over, PACE);
  }

  #plan(embers: readonly Ember[]): Point[] {
    const { x, y } = this.spark;
    const ember = embers.find((each) => Math.hypot(each.x - x, each.y - y) < SIGHT);
    if (ember !== undefined && this.#random() < 0.5) return [ember];
    const width = this.#signed(2.5, 5.5);
    const height = this.#signed(2.5, 5);
    const away = this.#inside({ x: x + this.#signed(3, 12), y: y + this.#signed(3, 9) });
    if (this.#random() < 0.5) return [away];
    const corners = [
      { x: x + width, y },
      { x: x + width, y: y + height },
      { x, y: y + height },
      { x, y },
    ];
    return [...corners.map((corner) => this.#inside(corner)), away];
  }

  #signed(least: number, most: number): number {
    const length = least + this.#random() * (most - least);
    return this.#random() < 0.5 ? -length : length;
  }

  #inside({ x, y }: Point): Point {
    return {
      x: Math.min(COLUMNS - MARGIN, Math.max(MARGIN, x)),
      y: Math.min(ROWS - MARGIN, Math.max(MARGIN, y)),
    };
  }
}
