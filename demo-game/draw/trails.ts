import type { SparkView } from '../scene.ts';
import { SHAPES, type Sprites } from './sprites.ts';

const LENGTH = 26;
const EVERY_MS = 22;

/** The light that a spark leaves behind where it has just been. */
export class Trail {
  readonly #x = new Float32Array(LENGTH);
  readonly #y = new Float32Array(LENGTH);
  #count = 0;
  #newest = 0;
  #addedAt = 0;

  draw(sprites: Sprites, spark: SparkView, tint: number, nowMs: number): void {
    this.#follow(spark, nowMs);
    const strength = spark.fastMs > 0 ? 0.5 : 0.24;
    const size = spark.wideMs > 0 ? 0.95 : 0.55;
    for (let age = 0; age < this.#count; age++) {
      const at = (this.#newest - age + LENGTH) % LENGTH;
      const left = 1 - age / LENGTH;
      sprites.add(
        this.#x[at]!,
        this.#y[at]!,
        size * (0.3 + 0.7 * left),
        SHAPES.dot,
        tint,
        strength * left * left,
      );
    }
  }

  #follow({ x, y }: SparkView, nowMs: number): void {
    if (nowMs - this.#addedAt < EVERY_MS) return;
    this.#addedAt = nowMs;
    // It has jumped: a new round, or news after a silence.
    if (Math.hypot(x - this.#x[this.#newest]!, y - this.#y[this.#newest]!) > 3) this.#count = 0;
    this.#newest = (this.#newest + 1) % LENGTH;
    this.#x[this.#newest] = x;
    this.#y[this.#newest] = y;
    this.#count = Math.min(LENGTH, this.#count + 1);
  }
}
