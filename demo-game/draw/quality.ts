/** Shares of the finest picture, finest first. */
const STEPS = [1, 0.8, 0.62];
const FRAMES = 30;
/** Slower than some 40 frames a second. */
const SLOW_MS = 25;
/** So often in a row, and it is no passing thing. */
const PATIENCE = 2;

/** Makes pictures coarser on machines that do not paint them in time. */
export class Quality {
  readonly #frames: number[] = [];
  #before = 0;
  #step = 0;
  #slow = 0;

  /** The share of the finest picture to paint now, after a frame at this time. */
  after(nowMs: number): number {
    const tookMs = nowMs - this.#before;
    this.#before = nowMs;
    // The page was hidden, or the machine was busy with other things for once.
    if (tookMs < 250) this.#frames.push(tookMs);
    if (this.#frames.length === FRAMES) {
      const middle = this.#frames.sort((a, b) => a - b)[FRAMES >> 1]!;
      this.#frames.length = 0;
      this.#slow = middle > SLOW_MS ? this.#slow + 1 : 0;
      if (this.#slow === PATIENCE && this.#step < STEPS.length - 1) {
        this.#step++;
        this.#slow = 0;
      }
    }
    return STEPS[this.#step]!;
  }
}
