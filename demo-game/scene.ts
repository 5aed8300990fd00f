/**
 * What a moment of the game looks like: all that drawing it, and the panels around it, need. Lengths in
 * tiles, x to the right and y down from the upper left corner; headings in radians, 0 to the right and
 * growing clockwise; times in milliseconds.
 */
export interface Scene {
  readonly field: FieldView;
  readonly round: RoundView;
  /** Who plays, or has tiles in this round; `FieldView.owners` counts from this list. */
  readonly players: readonly PlayerView[];
  /** Those that lie on the field now. */
  readonly embers: readonly EmberView[];
}

export interface FieldView {
  readonly columns: number;
  readonly rows: number;
  /** Of each tile, row by row: 0 for nobody's, else one more than its owner's place in `players`. */
  readonly owners: Uint8Array;
  /** Of each tile: when it came to its owner, on the clock of `performance.now`; 0 for long ago. */
  readonly takenAt: Float64Array;
}

export interface PlayerView {
  readonly id: string;
  readonly kind: 'me' | 'friend' | 'bot';
  readonly name: string;
  /** An index into `COLOURS`. */
  readonly colour: number;
  readonly tiles: number;
  /** Undefined for one that is away: its tiles stay. */
  readonly spark: SparkView | undefined;
}

export interface SparkView {
  readonly x: number;
  readonly y: number;
  readonly heading: number;
  /** Tiles a second. */
  readonly speed: number;
  /** What is left of the effects of embers; 0 without one. */
  readonly fastMs: number;
  readonly wideMs: number;
}

export interface EmberView {
  readonly id: string;
  readonly kind: EmberKind;
  readonly x: number;
  readonly y: number;
  /** When it fell, on the clock of `performance.now`. */
  readonly fellAt: number;
}

/** `fast` gives a burst of speed, `wide` a wide brush. */
export type EmberKind = 'fast' | 'wide';

export type RoundView =
  /** Nobody has begun one yet. */
  | { readonly phase: 'waiting' }
  | { readonly phase: 'playing'; readonly number: number; readonly remainingMs: number }
  /** Between two rounds: this one has just ended. */
  | { readonly phase: 'over'; readonly number: number; readonly nextInMs: number };

/** How this game is connected to others. */
export type Connection =
  /** Nobody was invited yet, or nobody has come. */
  | { readonly state: 'alone' }
  | { readonly state: 'connecting' }
  | { readonly state: 'playing'; readonly others: number }
  /** The network is gone, or every server; the game goes on here. */
  | { readonly state: 'offline' }
  /** One has pulled the plug oneself. */
  | { readonly state: 'unplugged' };

/** What happens, for sparks, sounds and words. Tiles by their index, row by row. */
export type GameEvent =
  | { readonly kind: 'tiles-taken'; readonly player: string; readonly tiles: readonly number[] }
  /** A loop was closed: what it enclosed, beside the trail itself. */
  | { readonly kind: 'loop-closed'; readonly player: string; readonly tiles: readonly number[] }
  | { readonly kind: 'ember-fell'; readonly ember: EmberView }
  | { readonly kind: 'ember-taken'; readonly ember: EmberView; readonly player: string }
  | { readonly kind: 'round-began'; readonly number: number }
  | { readonly kind: 'round-ended'; readonly result: RoundResult }
  | { readonly kind: 'player-came'; readonly player: string }
  | { readonly kind: 'player-left'; readonly player: string }
  | { readonly kind: 'connection'; readonly connection: Connection }
  /** What was played apart has come together. */
  | {
      readonly kind: 'merged';
      readonly tiles: readonly number[];
      readonly conflicts: readonly TileConflict[];
    }
  /** A result was written, or what it is computed from has changed: read `results()` again. */
  | { readonly kind: 'results-changed' }
  | { readonly kind: 'chat'; readonly line: ChatLine }
  /** What was played could not be kept: the disk is full, for example. The game goes on. */
  | { readonly kind: 'trouble'; readonly error: Error };

/** A tile that several took at the same time: the ledger has kept one's, and remembers the others'. */
export interface TileConflict {
  readonly tile: number;
  /** Ids of players. */
  readonly kept: string;
  readonly lost: readonly string[];
}

export interface RoundResult {
  readonly number: number;
  /** When it began, in milliseconds since 1970. */
  readonly startedAt: number;
  /** Most tiles first. */
  readonly ranking: readonly {
    readonly player: string;
    readonly name: string;
    readonly colour: number;
    readonly tiles: number;
  }[];
}

export interface ChatLine {
  readonly id: string;
  readonly player: string;
  readonly name: string;
  readonly colour: number;
  readonly text: string;
  /** In milliseconds since 1970. */
  readonly at: number;
}
