import { chance } from './chance.ts';
import type { EmberKind } from './scene.ts';
import { COLUMNS, ROWS } from './world.ts';

/** An ember of a round: when and where it falls follows from the round's seed. */
export interface Ember {
  readonly index: number;
  readonly kind: EmberKind;
  readonly x: number;
  readonly y: number;
  /** Since the round began. */
  readonly fallsAtMs: number;
  readonly goneAtMs: number;
}

/** A spark takes what lies so near, in tiles. */
export const REACH = 1.1;

const FIRST_MS = 2_500;
const BETWEEN_MS = 3_500;
const LIES_MS = 14_000;
/** Embers fall so far within the border, in tiles. */
const MARGIN = 3;

/** The embers of a round, in the order in which they fall. */
export function emberRain(seed: number, roundMs: number): Ember[] {
  const random = chance(seed);
  const embers: Ember[] = [];
  for (let at = FIRST_MS; at < roundMs; at += BETWEEN_MS * (0.7 + 0.6 * random())) {
    embers.push({
      index: embers.length,
      kind: random() < 0.5 ? 'fast' : 'wide',
      x: MARGIN + Math.floor(random() * (COLUMNS - 2 * MARGIN)) + 0.5,
      y: MARGIN + Math.floor(random() * (ROWS - 2 * MARGIN)) + 0.5,
      fallsAtMs: Math.round(at),
      goneAtMs: Math.round(at) + LIES_MS,
    });
  }
  return embers;
}
