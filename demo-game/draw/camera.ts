/** The part of the field that is to be seen. Lengths on the screen in CSS pixels. */
export interface View {
  /** The point of the field, in tiles, in the upper left corner of the picture. */
  left: number;
  top: number;
  /** Of a tile. */
  scale: number;
  width: number;
  height: number;
}

/** Where to look. */
export interface Target {
  readonly x: number;
  readonly y: number;
}

const GREATEST_SCALE = 34;
/** Of screens that cannot show the whole field. */
const FOLLOWING_SCALE = 19;
/** What lies around the field, in tiles. */
const MARGIN = 0.7;
const FOLLOWING_MS = 260;

/** Shows the whole field where there is room for it, else what is around one's own spark. */
export class Camera {
  readonly view: View = { left: 0, top: 0, scale: 1, width: 1, height: 1 };
  #x: number | undefined;
  #y = 0;
  #followedAt = 0;
  readonly #leastScale: number;

  /** @param leastScale where tiles would be smaller, a part of the field is shown */
  constructor(leastScale: number) {
    this.#leastScale = leastScale;
  }

  resize(width: number, height: number): void {
    this.view.width = Math.max(1, width);
    this.view.height = Math.max(1, height);
  }

  look(columns: number, rows: number, target: Target | undefined, nowMs: number): void {
    const { view } = this;
    const whole = Math.min(
      view.width / (columns + 2 * MARGIN),
      view.height / (rows + 2 * MARGIN),
      GREATEST_SCALE,
    );
    view.scale = whole >= this.#leastScale ? whole : FOLLOWING_SCALE;
    const { x = columns / 2, y = rows / 2 } = target ?? {};
    if (this.#x === undefined) {
      this.#x = x;
      this.#y = y;
    }
    const share = 1 - Math.exp((this.#followedAt - nowMs) / FOLLOWING_MS);
    this.#followedAt = nowMs;
    this.#x += (x - this.#x) * share;
    this.#y += (y - this.#y) * share;
    view.left = edge(this.#x, view.width / view.scale, columns);
    view.top = edge(this.#y, view.height / view.scale, rows);
  }
}

/** Where the picture begins, so that it shows as little as possible of what is not the field. */
function edge(centre: number, shown: number, length: number): number {
  if (shown >= length + 2 * MARGIN) return (length - shown) / 2;
  return Math.min(Math.max(centre - shown / 2, -MARGIN), length + MARGIN - shown);
}
