import { SHAPES, type Sprites } from './sprites.ts';

const MOST = 1200;

/** What flies off, in arrays of their own, so that a frame allocates nothing. */
export class Particles {
  readonly #x = new Float32Array(MOST);
  readonly #y = new Float32Array(MOST);
  readonly #vx = new Float32Array(MOST);
  readonly #vy = new Float32Array(MOST);
  readonly #size = new Float32Array(MOST);
  readonly #tint = new Uint8Array(MOST);
  readonly #shape = new Uint8Array(MOST);
  readonly #bornAt = new Float64Array(MOST);
  readonly #lifeMs = new Float32Array(MOST);
  /** The oldest one makes room. */
  #next = 0;

  /**
   * @param speed tiles a second
   * @param atMs when it begins to be seen
   */
  add(
    x: number,
    y: number,
    angle: number,
    speed: number,
    tint: number,
    atMs: number,
    lifeMs: number,
    size: number,
    shape: number = SHAPES.dot,
  ): void {
    const i = this.#next;
    this.#next = (i + 1) % MOST;
    this.#x[i] = x;
    this.#y[i] = y;
    this.#vx[i] = Math.cos(angle) * speed;
    this.#vy[i] = Math.sin(angle) * speed;
    this.#size[i] = size;
    this.#tint[i] = tint;
    this.#shape[i] = shape;
    this.#bornAt[i] = atMs;
    this.#lifeMs[i] = lifeMs;
  }

  burst(
    x: number,
    y: number,
    count: number,
    speed: number,
    tint: number,
    atMs: number,
    size = 0.16,
  ): void {
    for (let i = 0; i < count; i++) {
      const own = speed * (0.25 + Math.random());
      const lifeMs = 350 + 650 * Math.random();
      this.add(
        x,
        y,
        Math.random() * 2 * Math.PI,
        own,
        tint,
        atMs,
        lifeMs,
        size * (0.5 + Math.random()),
      );
    }
  }

  draw(sprites: Sprites, nowMs: number, stepMs: number): void {
    const step = stepMs / 1000;
    const drag = Math.exp(-2.6 * step);
    for (let i = 0; i < MOST; i++) {
      const age = (nowMs - this.#bornAt[i]!) / this.#lifeMs[i]!;
      if (!(age >= 0 && age < 1)) continue;
      this.#x[i]! += this.#vx[i]! * step;
      this.#y[i]! += this.#vy[i]! * step;
      this.#vx[i]! *= drag;
      // Hot air rises.
      this.#vy[i] = this.#vy[i]! * drag - 0.9 * step;
      const fading = (1 - age) * (1 - age);
      const size = this.#size[i]! * (0.5 + 0.5 * (1 - age));
      sprites.add(this.#x[i]!, this.#y[i]!, size, this.#shape[i]!, this.#tint[i]!, fading);
    }
  }
}
