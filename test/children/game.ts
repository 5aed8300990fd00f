/** A player of the demo game in a process of its own, with a ledger on disk and real WebRTC. */
import { kindOf, readTiles, tilesPrefix } from '../../demo-game/documents.ts';
import { Game } from '../../demo-game/game.ts';
import type { RoundResult, RoundView } from '../../demo-game/scene.ts';
import { tileInChunk } from '../../demo-game/world.ts';
import { Random } from '../support/random.ts';
import { answerCalls } from './answer-calls.ts';

export interface GameReport {
  readonly me: string;
  readonly state: string;
  readonly round: RoundView;
  /** Whose each tile is; null for nobody's. */
  readonly field: readonly (string | null)[];
  readonly results: readonly RoundResult[];
  readonly digest: string;
  /** The tiles of the first round that this process has taken, and that its ledger has as its own. */
  readonly taken: readonly number[];
  readonly acknowledged: readonly number[];
}

let game: Game;
let steering: ReturnType<typeof setInterval> | undefined;
const taken = new Set<number>();

async function acknowledged(): Promise<number[]> {
  const tiles: number[] = [];
  const { rows } = await game.ledger.allDocs({ prefix: tilesPrefix(1) });
  for (const { id, doc } of rows) {
    const kind = kindOf(id);
    if (kind?.kind !== 'tiles') continue;
    readTiles(doc, (place, owner) => {
      if (owner === game.me) tiles.push(tileInChunk(kind.chunk, place));
    });
  }
  return tiles;
}

const methods = {
  async open(signaling: string, address: string, roundMs: number, seed: number): Promise<void> {
    const random = new Random(seed);
    game = await Game.open({
      signaling,
      address: new URL(address),
      storage: 'files',
      iceServers: [],
      times: { roundMs, pauseMs: 600_000 },
      random: () => random.below(2 ** 20) / 2 ** 20,
    });
    game.subscribe((event) => {
      if (event.kind !== 'tiles-taken' && event.kind !== 'loop-closed') return;
      if (event.player !== game.me) return;
      for (const tile of event.tiles) taken.add(tile);
    });
    steering = setInterval(() => {
      if (random.oneIn(4)) game.steer((random.below(628) - 314) / 100);
    }, 50);
  },

  async report(): Promise<GameReport> {
    const { players, field, round } = game.scene(performance.now());
    return {
      me: game.me,
      state: JSON.stringify(game.connection),
      round,
      field: Array.from(field.owners, (owner) => players[owner - 1]?.id ?? null),
      results: await game.results(),
      digest: await game.ledger.digest(),
      taken: [...taken],
      acknowledged: await acknowledged(),
    };
  },

  unplug: async (): Promise<void> => game.unplug(),
  plug: async (): Promise<void> => game.plug(),

  async end(): Promise<void> {
    clearInterval(steering);
    await game.close();
  },
};

export type GameMethods = typeof methods;

answerCalls(methods);
