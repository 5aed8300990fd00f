import type { GameEvent, Scene } from '../scene.ts';
import { Camera, type View } from './camera.ts';
import { CanvasPainter } from './canvas-painter.ts';
import type { Painter } from './painter.ts';
import { Quality } from './quality.ts';
import { type Look, Spectacle } from './spectacle.ts';
import { WebglPainter } from './webgl-painter.ts';

/** Finer screens than this show no difference, and cost four times as much. */
const MOST_PIXEL_RATIO = 2;

/** Whether small screens show a part of the field, with tiles that are large enough to steer on. */
export type Shown = 'large enough' | 'whole field';

/** Smaller tiles are hard to see, and to steer on with a finger: in CSS pixels. */
const LEAST_SCALE = { finger: 14, mouse: 10 };

/** The canvas of the game: as large as its place, as fine as the machine can paint in time. */
export class Stage {
  readonly #canvas: HTMLCanvasElement;
  readonly #spectacle: Spectacle;
  readonly #camera: Camera;
  readonly #quality = new Quality();
  readonly #resizing: ResizeObserver;
  #painter: Painter | undefined;
  #ratio = 0;

  constructor(canvas: HTMLCanvasElement, look: Look, shown: Shown = 'large enough') {
    this.#canvas = canvas;
    this.#camera = new Camera(shown === 'whole field' ? 0 : leastScale());
    this.#spectacle = new Spectacle(look);
    this.#painter = painterFor(canvas);
    canvas.addEventListener('webglcontextlost', (event) => {
      event.preventDefault();
      this.#painter = undefined;
    });
    canvas.addEventListener('webglcontextrestored', () => {
      this.#painter = painterFor(canvas);
      this.#ratio = 0;
    });
    this.#resizing = new ResizeObserver(() => {
      this.#camera.resize(canvas.clientWidth, canvas.clientHeight);
      this.#ratio = 0;
    });
    this.#resizing.observe(canvas);
  }

  get view(): View {
    return this.#camera.view;
  }

  set look(look: Look) {
    this.#spectacle.look = look;
  }

  show(event: GameEvent, nowMs: number = performance.now()): void {
    this.#spectacle.show(event, nowMs);
  }

  paint(scene: Scene, nowMs: number): void {
    const me = scene.players.find(({ kind }) => kind === 'me');
    this.#camera.look(scene.field.columns, scene.field.rows, me?.spark, nowMs);
    const picture = this.#spectacle.picture(scene, this.view, nowMs);
    if (this.#painter === undefined) return;
    this.#fit(nowMs);
    this.#painter.paint(picture);
  }

  close(): void {
    this.#resizing.disconnect();
  }

  /** Keeps the canvas as fine as it should be now. */
  #fit(nowMs: number): void {
    const share = this.#quality.after(nowMs);
    const ratio = Math.min(devicePixelRatio, MOST_PIXEL_RATIO) * share;
    if (ratio === this.#ratio) return;
    this.#ratio = ratio;
    const { width, height } = this.view;
    this.#canvas.width = Math.max(1, Math.round(width * ratio));
    this.#canvas.height = Math.max(1, Math.round(height * ratio));
    this.#painter!.resize(this.#canvas.width, this.#canvas.height);
  }
}

function leastScale(): number {
  return matchMedia('(pointer: coarse)').matches ? LEAST_SCALE.finger : LEAST_SCALE.mouse;
}

/** WebGL where it is fast, else the canvas's own pen; none while the driver starts anew. */
function painterFor(canvas: HTMLCanvasElement): Painter | undefined {
  if (hasFastWebgl()) {
    const gl = canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false });
    if (gl !== null) return gl.isContextLost() ? undefined : new WebglPainter(gl);
  }
  const context = canvas.getContext('2d', { alpha: false });
  return context === null ? undefined : new CanvasPainter(context);
}

/** One that a processor only imitates is slower than a canvas without it. */
function hasFastWebgl(): boolean {
  // A canvas that has given one kind of context gives no other.
  const gl = document.createElement('canvas').getContext('webgl2', {
    failIfMajorPerformanceCaveat: true,
  });
  if (gl === null) return false;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(renderer);
}
