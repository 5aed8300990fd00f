/** A page that draws scenes of our own making, frame by frame as a test asks for them. */
import type { GameEvent } from '../../../demo-game/scene.ts';
import { Stage } from '../../../demo-game/draw/stage.ts';
import { SceneMaker } from '../../game/scene-maker.ts';

/** How large a picture is seen by tests. */
const SEEN = { width: 48, height: 30 };

export class DrawingPage {
  readonly canvas: HTMLCanvasElement = document.createElement('canvas');
  readonly maker: SceneMaker = new SceneMaker(8, (event) => this.show(event));
  readonly #stage: Stage;
  readonly #seen = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
  #nowMs = 1_000;

  constructor() {
    Object.assign(this.canvas.style, { position: 'fixed', inset: '0' });
    Object.assign(this.canvas.style, { width: '100%', height: '100%' });
    document.body.append(this.canvas);
    this.#stage = new Stage(this.canvas, { hasPatterns: false, isCalm: false });
  }

  show(event: GameEvent): void {
    this.#stage.show(event, this.#nowMs);
  }

  /** Paints so many frames, so far apart; gives red, green and blue of the last one, part by part. */
  paint(frames: number, stepMs = 16): number[][] {
    for (let i = 0; i < frames; i++) {
      this.#nowMs += stepMs;
      this.#stage.paint(this.maker.scene(this.#nowMs), this.#nowMs);
    }
    const { width, height } = SEEN;
    this.#seen.drawImage(this.canvas, 0, 0, width, height);
    const { data } = this.#seen.getImageData(0, 0, width, height);
    return Array.from({ length: width * height }, (_, i) =>
      Array.from(data.subarray(4 * i, 4 * i + 3)),
    );
  }
}

// The stage hears how large its place is before the first frame.
requestAnimationFrame(() => {
  const page = new DrawingPage();
  requestAnimationFrame(() => requestAnimationFrame(() => Object.assign(globalThis, { page })));
});
