import type { View } from './draw/camera.ts';
import type { SparkView } from './scene.ts';

/** By the keys' places, so that WASD is where it is on every keyboard. */
const DIRECTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowRight: [1, 0],
  KeyD: [1, 0],
  ArrowDown: [0, 1],
  KeyS: [0, 1],
  ArrowLeft: [-1, 0],
  KeyA: [-1, 0],
  ArrowUp: [0, -1],
  KeyW: [0, -1],
};
/** Buttons of the cross of a gamepad, in its standard layout. */
const CROSS: readonly (readonly [number, number, number])[] = [
  [12, 0, -1],
  [13, 0, 1],
  [14, -1, 0],
  [15, 1, 0],
];
const STICK_DEAD = 0.35;
/** Nearer than this, in tiles, a pointer says nothing of where to go. */
const POINTER_DEAD = 0.9;
/** In CSS pixels. */
const MOUSE_REST = 14;
/** A finger steers from a point that it drags along behind it, in CSS pixels. */
const DRAG_DEAD = 9;
const DRAG_REACH = 46;

interface Point {
  x: number;
  y: number;
}

/** Keys, mouse, finger or gamepad: where the spark shall glide. */
export class Controls {
  readonly #field: HTMLElement;
  readonly #keys = new Set<string>();
  #mouse: Point | undefined;
  /** Where the mouse lay when a key took over. */
  #rest: Point | undefined;
  #finger: { readonly id: number; readonly anchor: Point; heading: number | undefined } | undefined;

  /** @param field on which pointers steer */
  constructor(field: HTMLElement) {
    this.#field = field;
    addEventListener('keydown', (event) => this.#press(event));
    addEventListener('keyup', ({ code }) => this.#keys.delete(code));
    // What is let go elsewhere is not heard of.
    addEventListener('blur', () => this.#keys.clear());
    field.addEventListener('pointerdown', (event) => this.#touch(event));
    field.addEventListener('pointermove', (event) => this.#move(event));
    for (const kind of ['pointerup', 'pointercancel'] as const) {
      field.addEventListener(kind, ({ pointerId }) => {
        if (this.#finger?.id === pointerId) this.#finger = undefined;
      });
    }
    field.addEventListener('pointerleave', () => (this.#mouse = undefined));
  }

  /** The heading wanted now; undefined to go straight on. */
  heading(spark: SparkView | undefined, view: View): number | undefined {
    return this.#byKeys() ?? this.#finger?.heading ?? byGamepad() ?? this.#byMouse(spark, view);
  }

  #byKeys(): number | undefined {
    let x = 0;
    let y = 0;
    for (const key of this.#keys) {
      const [dx, dy] = DIRECTIONS[key]!;
      x += dx;
      y += dy;
    }
    return x === 0 && y === 0 ? undefined : Math.atan2(y, x);
  }

  #byMouse(spark: SparkView | undefined, view: View): number | undefined {
    if (this.#mouse === undefined || spark === undefined) return undefined;
    const dx = view.left + this.#mouse.x / view.scale - spark.x;
    const dy = view.top + this.#mouse.y / view.scale - spark.y;
    return Math.hypot(dx, dy) < POINTER_DEAD ? undefined : Math.atan2(dy, dx);
  }

  #press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || isForOthers(event)) return;
    if (DIRECTIONS[event.code] === undefined) return;
    event.preventDefault();
    this.#keys.add(event.code);
    // It steers again when it is moved, and not when the table shakes.
    this.#rest = this.#mouse ?? this.#rest;
    this.#mouse = undefined;
  }

  #touch(event: PointerEvent): void {
    this.#field.focus({ preventScroll: true });
    if (event.pointerType === 'mouse') return this.#move(event);
    event.preventDefault();
    this.#field.setPointerCapture(event.pointerId);
    this.#mouse = undefined;
    this.#finger = { id: event.pointerId, anchor: this.#point(event), heading: undefined };
  }

  #move(event: PointerEvent): void {
    const point = this.#point(event);
    if (event.pointerType === 'mouse') {
      const rest = this.#rest;
      if (rest !== undefined && Math.hypot(point.x - rest.x, point.y - rest.y) < MOUSE_REST) return;
      this.#rest = undefined;
      this.#mouse = point;
      return;
    }
    const finger = this.#finger;
    if (finger?.id !== event.pointerId) return;
    const dx = point.x - finger.anchor.x;
    const dy = point.y - finger.anchor.y;
    const distance = Math.hypot(dx, dy);
    if (distance < DRAG_DEAD) return;
    finger.heading = Math.atan2(dy, dx);
    if (distance <= DRAG_REACH) return;
    const share = 1 - DRAG_REACH / distance;
    finger.anchor.x += dx * share;
    finger.anchor.y += dy * share;
  }

  #point({ clientX, clientY }: PointerEvent): Point {
    const { left, top } = this.#field.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }
}

/** Whether a key is typed into something, or meant for what is open. */
export function isForOthers(event: KeyboardEvent): boolean {
  return event
    .composedPath()
    .some(
      (each) =>
        each instanceof Element && each.matches('input, textarea, select, dialog, #inspector'),
    );
}

function byGamepad(): number | undefined {
  // Not there in every page.
  for (const pad of navigator.getGamepads?.() ?? []) {
    if (pad === null) continue;
    const [x = 0, y = 0] = pad.axes;
    if (Math.hypot(x, y) > STICK_DEAD) return Math.atan2(y, x);
    for (const [button, dx, dy] of CROSS) {
      if (pad.buttons[button]?.pressed === true) return Math.atan2(dy, dx);
    }
  }
  return undefined;
}
