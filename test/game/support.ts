import { Game, type GameOptions } from '../../demo-game/game.ts';
import type { GameEvent, Scene } from '../../demo-game/scene.ts';
import { MemoryNetwork, type MemoryNetworkOptions } from '../support/memory-linker.ts';
import { MemorySignaling } from '../support/memory-signaling.ts';
import type { Random } from '../support/random.ts';

const PAGE = new URL('https://play.example/game/');
/** A key that needs no stretching. */
const KEY = `ember-${'A'.repeat(43)}`;
export const ROOM: URL = new URL(`#room=garden&key=${KEY}`, PAGE);

export interface Player {
  readonly name: string;
  readonly game: Game;
  readonly events: GameEvent[];
}

/** Games of one process, in one room, over a network in memory; ends them all at its end. */
export class Table {
  readonly random: Random;
  readonly server: MemorySignaling = new MemorySignaling();
  readonly network: MemoryNetwork;
  readonly #players = new Set<Player>();

  constructor(random: Random, options: MemoryNetworkOptions = {}) {
    this.random = random;
    this.network = new MemoryNetwork(random, options);
  }

  async sit(name: string, options: Partial<GameOptions> = {}): Promise<Player> {
    const linker = this.network.linker(name);
    return this.sitForReal(name, { signaling: this.server.adapter(), linker, ...options });
  }

  /** By real WebRTC. */
  async sitForReal(name: string, options: Partial<GameOptions> = {}): Promise<Player> {
    const game = await Game.open({
      signaling: undefined,
      address: ROOM,
      name,
      storage: 'memory',
      iceServers: [],
      random: () => this.random.below(2 ** 20) / 2 ** 20,
      ...options,
    });
    const events: GameEvent[] = [];
    game.subscribe((event) => events.push(event));
    const player = { name, game, events };
    this.#players.add(player);
    return player;
  }

  /** Ends a game. */
  async leave(player: Player): Promise<void> {
    this.#players.delete(player);
    await player.game.close();
  }

  async end(): Promise<void> {
    await Promise.all([...this.#players].map(({ game }) => game.close()));
  }
}

export async function withTable(
  random: Random,
  play: (table: Table) => Promise<void>,
  options?: MemoryNetworkOptions,
): Promise<void> {
  const table = new Table(random, options);
  try {
    await play(table);
  } finally {
    await table.end();
  }
}

/** Everybody steers somewhere else now and then, for so long. */
export async function steerAbout(
  players: readonly Player[],
  random: Random,
  durationMs: number,
): Promise<void> {
  const end = performance.now() + durationMs;
  while (performance.now() < end) {
    for (const { game } of players) {
      if (random.oneIn(4)) game.steer((random.below(628) - 314) / 100);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function sceneOf({ game }: Player): Scene {
  return game.scene(performance.now());
}

/** Whose each tile is, as this player sees it. */
export function fieldOf(player: Player): (string | undefined)[] {
  const { field, players } = sceneOf(player);
  return Array.from(field.owners, (owner) => players[owner - 1]?.id);
}

/** How many tiles there are that somebody has. */
export function takenTiles(player: Player): number {
  return fieldOf(player).filter((owner) => owner !== undefined).length;
}
