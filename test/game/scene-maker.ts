import type { EmberView, GameEvent, PlayerView, Scene, SparkView } from '../../demo-game/scene.ts';

const COLUMNS = 48;
const ROWS = 32;
const SPEED = 8;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Player = Mutable<Omit<PlayerView, 'spark'>> & { readonly spark: Mutable<SparkView> };

/** Scenes for looking at how they are drawn, and for measuring it: sparks that wander, with no rules. */
export class SceneMaker {
  readonly #owners = new Uint8Array(COLUMNS * ROWS);
  readonly #takenAt = new Float64Array(COLUMNS * ROWS);
  readonly #players: Player[];
  readonly #emit: (event: GameEvent) => void;
  #embers: EmberView[] = [];
  #beforeMs = 0;
  #remainingMs = 60_000;

  constructor(count: number, emit: (event: GameEvent) => void) {
    this.#emit = emit;
    this.#players = Array.from({ length: count }, (_, index) => ({
      id: `p${index}`,
      kind: index === 0 ? ('me' as const) : ('friend' as const),
      name: ['You', 'Ada', 'Bob', 'Carol', 'Dave', 'Eve', 'Frank', 'Grace'][index]!,
      colour: index,
      tiles: 0,
      spark: {
        x: 6 + ((index * 11) % 40),
        y: 5 + ((index * 7) % 24),
        heading: index * 1.3,
        speed: SPEED,
        fastMs: index === 2 ? 1e9 : 0,
        wideMs: index === 1 ? 1e9 : 0,
      },
    }));
  }

  scene(nowMs: number): Scene {
    const stepMs = Math.min(50, nowMs - this.#beforeMs);
    this.#beforeMs = nowMs;
    this.#remainingMs = (this.#remainingMs - stepMs + 60_000) % 60_000;
    for (const [index, player] of this.#players.entries()) this.#move(player, index, stepMs, nowMs);
    if (this.#embers.length < 4 && Math.random() < 0.02) {
      const kind = Math.random() < 0.5 ? 'fast' : 'wide';
      const ember: EmberView = {
        id: `e${nowMs}`,
        kind,
        x: 2 + 44 * Math.random(),
        y: 2 + 28 * Math.random(),
        fellAt: nowMs,
      };
      this.#embers = [...this.#embers, ember];
    }
    return {
      field: { columns: COLUMNS, rows: ROWS, owners: this.#owners, takenAt: this.#takenAt },
      round: { phase: 'playing', number: 3, remainingMs: this.#remainingMs },
      players: this.#players,
      embers: this.#embers,
    };
  }

  /** Fills a rectangle around a player's spark, as a loop would. */
  loop(index: number, size = 7): void {
    const { id, spark } = this.#players[index]!;
    const tiles: number[] = [];
    for (let y = Math.floor(spark.y) - size; y < spark.y; y++) {
      for (let x = Math.floor(spark.x) - size; x < spark.x; x++) {
        if (x < 0 || y < 0) continue;
        const tile = y * COLUMNS + x;
        if (Math.hypot(x - spark.x + size / 2, y - spark.y + size / 2) < size / 2) tiles.push(tile);
      }
    }
    const nowMs = this.#beforeMs;
    for (const tile of tiles) {
      this.#owners[tile] = index + 1;
      this.#takenAt[tile] = nowMs;
    }
    this.#emit({ kind: 'loop-closed', player: id, tiles });
  }

  merge(): void {
    const tiles: number[] = [];
    const conflicts = [];
    for (let tile = 0; tile < this.#owners.length; tile++) {
      if ((tile % COLUMNS) / COLUMNS < 0.4 || Math.random() < 0.5) continue;
      tiles.push(tile);
      if (this.#owners[tile] !== 0 && Math.random() < 0.3) {
        conflicts.push({ tile, kept: `p${this.#owners[tile]! - 1}`, lost: ['p1'] });
      }
    }
    this.#emit({ kind: 'merged', tiles, conflicts });
  }

  #move(player: Player, index: number, stepMs: number, nowMs: number): void {
    const { spark } = player;
    spark.heading += (stepMs / 1000) * 1.8 * Math.sin(nowMs / 900 + index * 2);
    spark.x += (Math.cos(spark.heading) * SPEED * stepMs) / 1000;
    spark.y += (Math.sin(spark.heading) * SPEED * stepMs) / 1000;
    if (spark.x < 0.5 || spark.x > COLUMNS - 0.5) spark.heading = Math.PI - spark.heading;
    if (spark.y < 0.5 || spark.y > ROWS - 0.5) spark.heading = -spark.heading;
    spark.x = Math.min(COLUMNS - 0.5, Math.max(0.5, spark.x));
    spark.y = Math.min(ROWS - 0.5, Math.max(0.5, spark.y));
    const reach = spark.wideMs > 0 ? 1 : 0;
    const taken: number[] = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const x = Math.floor(spark.x) + dx;
        const y = Math.floor(spark.y) + dy;
        if (x < 0 || y < 0 || x >= COLUMNS || y >= ROWS) continue;
        const tile = y * COLUMNS + x;
        if (this.#owners[tile] === index + 1) continue;
        this.#owners[tile] = index + 1;
        this.#takenAt[tile] = nowMs;
        player.tiles++;
        taken.push(tile);
      }
    }
    if (taken.length > 0) this.#emit({ kind: 'tiles-taken', player: player.id, tiles: taken });
  }
}
