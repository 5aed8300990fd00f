import { make } from './dom.ts';

/** More pixels than this for each of the page's are not seen. */
const MAX_PIXEL_RATIO = 2;

/** A canvas that fills the width of its parent; lengths in pixels of the page. */
export class Canvas {
  readonly element: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #observer: ResizeObserver;
  #width = 0;
  #height: number;

  constructor(height: number, onResize: () => void) {
    this.element = make('canvas', { class: 'canvas' });
    this.#context = this.element.getContext('2d')!;
    this.#height = height;
    this.#observer = new ResizeObserver(([entry]) => {
      const width = Math.round(entry!.contentRect.width);
      if (width === this.#width) return;
      this.#width = width;
      onResize();
    });
  }

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  set height(height: number) {
    this.#height = height;
  }

  /** Begins to follow its size. */
  start(): void {
    this.#observer.observe(this.element);
  }

  stop(): void {
    this.#observer.disconnect();
  }

  /** Empty, of its present size. */
  clear(): CanvasRenderingContext2D {
    const ratio = Math.min(window.devicePixelRatio, MAX_PIXEL_RATIO);
    const [width, height] = [Math.round(this.#width * ratio), Math.round(this.#height * ratio)];
    if (this.element.width !== width || this.element.height !== height) {
      this.element.width = width;
      this.element.height = height;
      this.element.style.height = `${this.#height}px`;
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.clearRect(0, 0, this.#width, this.#height);
    return this.#context;
  }
}
