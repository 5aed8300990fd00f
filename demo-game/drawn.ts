import type { Bot } from './bot.ts';
import { isBot, type Profile } from './documents.ts';
import type { Ember } from './ember-rain.ts';
import { speedOf, type Spark } from './glide.ts';
import type { LiveField } from './live-field.ts';
import type { Match } from './match.ts';
import type { Party } from './party.ts';
import type { EmberView, PlayerView, RoundView, Scene, SparkView } from './scene.ts';
import { COLUMNS, ROWS } from './world.ts';

export interface Moment {
  readonly match: Match;
  readonly party: Party;
  readonly spark: Spark;
  readonly bots: readonly Bot[];
  readonly embers: readonly Ember[];
  readonly profileOf: (player: string) => Profile;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

interface DrawnPlayer extends Writable<PlayerView> {
  readonly kept: Writable<SparkView>;
}

/** The scene: one object that is written anew for each frame, so that frames leave nothing behind. */
export class Drawn {
  readonly #me: string;
  readonly #playersById = new Map<string, DrawnPlayer>();
  readonly #players: DrawnPlayer[] = [];
  readonly #glided: Spark = { x: 0, y: 0, heading: 0, fastMs: 0, wideMs: 0 };
  #scene: Writable<Scene> | undefined;
  #embers: { of: readonly Ember[]; views: readonly EmberView[] } = { of: [], views: [] };

  constructor(me: string) {
    this.#me = me;
  }

  draw(nowMs: number, moment: Moment): Scene {
    const { match, party, bots } = moment;
    const { field } = match;
    field.ownerOf(this.#me);
    for (const { id } of bots) field.ownerOf(id);
    for (const player of party.players) field.ownerOf(player);
    this.#scene ??= {
      field: { columns: COLUMNS, rows: ROWS, owners: field.owners, takenAt: field.takenAt },
      round: { phase: 'waiting' },
      players: this.#players,
      embers: [],
    };
    this.#drawPlayers(nowMs, moment, field);
    this.#scene.round = roundOf(match);
    this.#scene.embers = this.#drawEmbers(nowMs, moment);
    return this.#scene;
  }

  #drawPlayers(nowMs: number, moment: Moment, field: LiveField): void {
    this.#players.length = field.roster.length;
    for (const [index, id] of field.roster.entries()) {
      let player = this.#playersById.get(id);
      if (player === undefined) this.#playersById.set(id, (player = this.#newPlayer(id)));
      const { name, colour } = moment.profileOf(id);
      player.name = name;
      player.colour = colour;
      player.tiles = field.tilesOf(index + 1);
      player.spark = this.#sparkOf(id, nowMs, moment, player.kept);
      this.#players[index] = player;
    }
  }

  #newPlayer(id: string): DrawnPlayer {
    return {
      id,
      kind: id === this.#me ? 'me' : isBot(id) ? 'bot' : 'friend',
      name: '',
      colour: 0,
      tiles: 0,
      spark: undefined,
      kept: { x: 0, y: 0, heading: 0, speed: 0, fastMs: 0, wideMs: 0 },
    };
  }

  #sparkOf(
    id: string,
    nowMs: number,
    { party, spark, bots }: Moment,
    kept: Writable<SparkView>,
  ): SparkView | undefined {
    let from: Spark | undefined;
    if (id === this.#me) from = spark;
    else if (isBot(id)) from = bots.find((bot) => bot.id === id)?.spark;
    else if (party.sparkOf(id, nowMs, this.#glided)) from = this.#glided;
    if (from === undefined) return undefined;
    kept.x = from.x;
    kept.y = from.y;
    kept.heading = from.heading;
    kept.speed = speedOf(from);
    kept.fastMs = from.fastMs;
    kept.wideMs = from.wideMs;
    return kept;
  }

  /** Those that lie on the field seldom change. */
  #drawEmbers(nowMs: number, { match, embers }: Moment): readonly EmberView[] {
    const same =
      embers.length === this.#embers.of.length &&
      embers.every((ember, at) => ember === this.#embers.of[at]);
    if (same) return this.#embers.views;
    const elapsedMs = match.elapsedMs();
    this.#embers = {
      of: embers,
      views: embers.map((ember) => emberView(ember, nowMs - elapsedMs)),
    };
    return this.#embers.views;
  }
}

/** @param beganAt of the round, on the clock of `performance.now` */
export function emberView({ index, kind, x, y, fallsAtMs }: Ember, beganAt: number): EmberView {
  return { id: String(index), kind, x, y, fellAt: beganAt + fallsAtMs };
}

function roundOf(match: Match): RoundView {
  const { phase, round: number } = match;
  switch (phase) {
    case 'waiting':
      return { phase };
    case 'playing':
      return { phase, number, remainingMs: match.remainingMs() };
    case 'over':
      return { phase, number, nextInMs: Math.max(0, match.nextInMs()) };
  }
}
