/** The pictures that sprites are made of, by their places in the atlas: marks are the first ones. */
export const SHAPES = {
  /** Soft light, brightest in the middle. */
  glow: 8,
  /** A dot with a hot core. */
  dot: 9,
  /** A circle of light. */
  ripple: 10,
  /** A star with four rays. */
  twinkle: 11,
  bolt: 12,
  brush: 13,
} as const;
export const SHAPE_COUNT = 14;

/** Numbers of a sprite: x, y, half its width, half its height, angle, shape, tint, light, cover. */
export const SPRITE_SIZE = 9;
const MOST_SPRITES = 2600;

/** What is painted over the field, in this order; kept in one array, so that a frame allocates nothing. */
export class Sprites {
  readonly values: Float32Array = new Float32Array(MOST_SPRITES * SPRITE_SIZE);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  /**
   * @param light how much of its tint it adds
   * @param cover how much of what is behind it it hides: 0 for light alone
   */
  add(
    x: number,
    y: number,
    size: number,
    shape: number,
    tint: number,
    light: number,
    cover = 0,
    angle = 0,
    stretch = 1,
  ): void {
    if (this.count === MOST_SPRITES) return;
    const { values } = this;
    let at = this.count++ * SPRITE_SIZE;
    values[at++] = x;
    values[at++] = y;
    values[at++] = size * stretch;
    values[at++] = size;
    values[at++] = angle;
    values[at++] = shape;
    values[at++] = tint;
    values[at++] = light;
    values[at] = cover;
  }
}
