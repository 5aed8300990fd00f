import type { View } from './camera.ts';
import type { FieldLight } from './field-light.ts';
import type { Sprites } from './sprites.ts';

/** A moment, ready to be painted. */
export interface Picture {
  readonly field: FieldLight;
  readonly sprites: Sprites;
  readonly view: View;
  /** Milliseconds, for what flickers. */
  nowMs: number;
  /** How far the world has gone away, from 0 to 1. */
  lonely: number;
  /** One's own spark, around which the world stays when it has gone away. */
  selfX: number;
  selfY: number;
  /** A circle of light that runs over the field; of strength 0 when there is none. */
  readonly wave: { x: number; y: number; radius: number; strength: number };
  /** Whether tiles bear the marks of their owners. */
  hasPatterns: boolean;
  /** Whether nothing may flicker. */
  isCalm: boolean;
}

/** Puts pictures on a canvas. */
export interface Painter {
  /** In pixels of the canvas. */
  resize(width: number, height: number): void;
  paint(picture: Picture): void;
}
