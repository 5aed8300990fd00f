import type { Bot } from './bot.ts';
import { seedOf } from './chance.ts';
import { emberView } from './drawn.ts';
import { emberRain, REACH, type Ember } from './ember-rain.ts';
import { FAST_MS, glide, WIDE_MS, type Spark } from './glide.ts';
import { Loops } from './loops.ts';
import type { Match } from './match.ts';
import type { EmberView, GameEvent, RoundView } from './scene.ts';
import { COLUMNS, forBrush, startPlace, TILES, tileUnder } from './world.ts';

export interface PlayOptions {
  readonly me: string;
  readonly match: Match;
  /** What the embers of all rounds follow from. */
  readonly room: string;
  readonly roundMs: number;
  readonly emit: (event: GameEvent) => void;
  readonly roundEnded: (round: number) => void;
}

/** Who comes too late for a frame makes up for it, but for no more than this. */
const MOST_AT_ONCE_MS = 1_000;

const NONE: readonly Ember[] = [];

/** What moves on this side: one's own spark and the bots', what they take, and the embers. */
export class Play {
  readonly spark: Spark;
  /** Where to glide: undefined for straight on. */
  heading: number | undefined;
  bots: readonly Bot[] = [];
  readonly #options: PlayOptions;
  readonly #loops = new Loops();
  #advancedAtMs: number = performance.now();
  #round = 0;
  #phase: RoundView['phase'] = 'waiting';
  /** Of this round; so many of them have fallen, and these lie on the field now. */
  #embers: readonly Ember[] = NONE;
  #fallen = 0;
  #lying: readonly Ember[] = NONE;

  constructor(options: PlayOptions) {
    this.#options = options;
    this.spark = { ...startPlace(seedOf(options.me)), fastMs: 0, wideMs: 0 };
  }

  /** The embers on the field. */
  get lying(): readonly Ember[] {
    return this.#lying;
  }

  /** Moves everything on to this moment. */
  advance(nowMs: number): void {
    const durationMs = Math.min(MOST_AT_ONCE_MS, nowMs - this.#advancedAtMs);
    if (durationMs <= 0) return;
    this.#advancedAtMs = nowMs;
    this.follow();
    const isPlaying = this.#phase === 'playing';
    this.#move(this.#options.me, this.spark, isPlaying, (over) =>
      glide(this.spark, this.heading, durationMs, over),
    );
    for (const bot of this.bots) {
      this.#move(bot.id, bot.spark, isPlaying, (over) => bot.move(durationMs, this.#lying, over));
    }
    if (isPlaying) this.#rain();
    else this.#lying = NONE;
  }

  /** Notices that a round has begun or ended. */
  follow(): void {
    const { match, room, roundMs } = this.#options;
    const { round, phase } = match;
    if (round !== this.#round) {
      this.#round = round;
      this.#fallen = 0;
      this.#embers = emberRain(seedOf(`${room}:${round}`), roundMs);
      this.#phase = 'waiting';
    }
    if (phase === this.#phase) return;
    this.#phase = phase;
    switch (phase) {
      case 'playing':
        this.#options.emit({ kind: 'round-began', number: round });
        return;
      case 'over':
        this.#options.roundEnded(round);
        return;
      case 'waiting':
        return;
    }
  }

  /** Moves one spark and takes what it glides over, and what it encloses. */
  #move(
    player: string,
    spark: Spark,
    isPlaying: boolean,
    glideOn: (over: (tile: number) => void) => void,
  ): void {
    if (!isPlaying) {
      glideOn(() => {});
      return;
    }
    const { field } = this.#options.match;
    const owner = field.ownerOf(player);
    let taken: number[] | undefined;
    const burn = (tile: number): void => {
      if (field.owners[tile] === owner) return;
      this.#options.match.claim(tile, player);
      (taken ??= []).push(tile);
    };
    const over = (tile: number): void => forBrush(tile, spark.wideMs > 0, burn);
    over(tileUnder(spark.x, spark.y));
    glideOn(over);
    if (taken === undefined) return;
    this.#options.emit({ kind: 'tiles-taken', player, tiles: taken });
    const enclosed = this.#loops.enclosedBy(owner, field.owners);
    if (enclosed.length === 0) return;
    for (const tile of enclosed) this.#options.match.claim(tile, player);
    this.#options.emit({ kind: 'loop-closed', player, tiles: enclosed });
  }

  #rain(): void {
    const elapsedMs = this.#options.match.elapsedMs();
    for (
      let next = this.#embers[this.#fallen];
      next !== undefined && next.fallsAtMs <= elapsedMs;
    ) {
      // Not those that fell before one came.
      if (elapsedMs < next.fallsAtMs + MOST_AT_ONCE_MS) {
        this.#options.emit({ kind: 'ember-fell', ember: this.#viewOf(next) });
      }
      next = this.#embers[++this.#fallen];
    }
    this.#lying = this.#embers.filter(
      ({ index, fallsAtMs, goneAtMs }) =>
        fallsAtMs <= elapsedMs &&
        elapsedMs < goneAtMs &&
        !this.#options.match.embersTaken.has(index),
    );
    for (const ember of this.#lying) {
      this.#reach(this.#options.me, this.spark, ember);
      for (const bot of this.bots) this.#reach(bot.id, bot.spark, ember);
    }
  }

  #reach(player: string, spark: Spark, ember: Ember): void {
    if (this.#options.match.embersTaken.has(ember.index)) return;
    if (Math.hypot(spark.x - ember.x, spark.y - ember.y) > REACH) return;
    this.#options.match.takeEmber(ember.index, player);
    switch (ember.kind) {
      case 'fast':
        spark.fastMs = FAST_MS;
        break;
      case 'wide':
        spark.wideMs = WIDE_MS;
        break;
    }
    this.tellEmber(player, ember.index);
  }

  // --- what others did ---

  /** Tells of tiles that the ledger brought. What lies all among them was enclosed. */
  tellTiles(player: string, tiles: readonly number[]): void {
    const { match, emit } = this.#options;
    const { owners } = match.field;
    const owner = match.field.ownerOf(player);
    const isInside = (tile: number): boolean =>
      tile % COLUMNS > 0 &&
      tile % COLUMNS < COLUMNS - 1 &&
      tile >= COLUMNS &&
      tile < TILES - COLUMNS &&
      [tile - 1, tile + 1, tile - COLUMNS, tile + COLUMNS].every((next) => owners[next] === owner);
    const enclosed = tiles.filter(isInside);
    const trail = tiles.filter((tile) => !enclosed.includes(tile));
    if (trail.length > 0) emit({ kind: 'tiles-taken', player, tiles: trail });
    if (enclosed.length > 0) emit({ kind: 'loop-closed', player, tiles: enclosed });
  }

  tellEmber(player: string, index: number): void {
    const ember = this.#embers[index];
    if (ember === undefined) return;
    this.#options.emit({ kind: 'ember-taken', ember: this.#viewOf(ember), player });
  }

  #viewOf(ember: Ember): EmberView {
    return emberView(ember, performance.now() - this.#options.match.elapsedMs());
  }
}
