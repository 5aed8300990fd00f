import type { EmberView, GameEvent, PlayerView, Scene, SparkView } from '../scene.ts';
import type { View } from './camera.ts';
import { FieldLight } from './field-light.ts';
import { GOLD, ICE, rgbOf, SOOT, tintOf, TINTS, WHITE } from './palette.ts';
import type { Picture } from './painter.ts';
import { Particles } from './particles.ts';
import { SHAPES, Sprites } from './sprites.ts';
import { Trail } from './trails.ts';

/** What people have chosen, or their system for them. */
export interface Look {
  readonly hasPatterns: boolean;
  readonly isCalm: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const LOOP_TILES_PER_SECOND = 30;
const MERGE_TILES_PER_SECOND = 17;
const FALLING_MS = 650;
const LONELY_MS = 900;
const SHAKE_MS = 320;

/** Makes pictures of scenes, with all that flies, flashes and fades in between. */
export class Spectacle {
  #field: FieldLight;
  readonly #sprites = new Sprites();
  readonly #particles = new Particles();
  readonly #trails = new Map<string, Trail>();
  readonly #wave = { x: 0, y: 0, bornAt: -Infinity, speed: 1, strength: 0 };
  #scene: Scene | undefined;
  #lonely = 0;
  #isAlone = false;
  #shakenAt = -Infinity;
  #paintedAt = 0;
  #picture: Mutable<Picture> | undefined;
  look: Look;

  constructor(look: Look) {
    this.look = look;
    this.#field = new FieldLight(1, 1);
  }

  /** Shows what happens, from the next picture on. */
  show(event: GameEvent, nowMs: number): void {
    const scene = this.#scene;
    if (scene === undefined) return;
    switch (event.kind) {
      case 'tiles-taken':
        return this.#take(scene, event.player, event.tiles, nowMs);
      case 'loop-closed':
        return this.#closeLoop(scene, event.player, event.tiles, nowMs);
      case 'ember-taken':
        return this.#takeEmber(event.ember, nowMs);
      case 'round-began':
        this.#field.clear();
        return this.#startWave(scene.field.columns / 2, scene.field.rows / 2, 26, 0.6, nowMs);
      case 'round-ended':
        return this.#celebrate(scene, event.result.ranking[0]?.player, nowMs);
      case 'player-came':
      case 'player-left':
        return this.#greet(scene, event.player, nowMs);
      case 'connection':
        this.#isAlone = event.connection.state === 'unplugged';
        return;
      case 'merged':
        return this.#merge(scene, event, nowMs);
      case 'ember-fell':
      case 'results-changed':
      case 'chat':
      case 'trouble':
        return;
    }
  }

  picture(scene: Scene, view: View, nowMs: number): Picture {
    this.#scene = scene;
    const { columns, rows } = scene.field;
    if (this.#field.columns !== columns || this.#field.rows !== rows) {
      this.#field = new FieldLight(columns, rows);
      this.#picture = undefined;
    }
    const picture = (this.#picture ??= {
      field: this.#field,
      sprites: this.#sprites,
      view,
      nowMs,
      lonely: 0,
      selfX: columns / 2,
      selfY: rows / 2,
      wave: { x: 0, y: 0, radius: 0, strength: 0 },
      hasPatterns: false,
      isCalm: false,
    });
    const stepMs = Math.min(100, nowMs - this.#paintedAt);
    this.#paintedAt = nowMs;
    const towards = this.#isAlone ? stepMs : -stepMs;
    this.#lonely = Math.min(1, Math.max(0, this.#lonely + towards / LONELY_MS));
    picture.view = view;
    picture.nowMs = nowMs;
    picture.lonely = this.#lonely;
    picture.hasPatterns = this.look.hasPatterns;
    picture.isCalm = this.look.isCalm;
    const self = ownSpark(scene);
    if (self !== undefined) {
      picture.selfX = self.x;
      picture.selfY = self.y;
    }
    this.#moveWave(picture.wave, nowMs);
    this.#shake(view, nowMs);
    this.#field.update(scene.field, scene.players, nowMs);
    this.#sprites.clear();
    for (const ember of scene.embers) this.#drawEmber(ember, nowMs);
    for (const player of scene.players) this.#drawTrail(player, nowMs);
    for (const player of scene.players) this.#drawSpark(player, nowMs);
    this.#particles.draw(this.#sprites, nowMs, stepMs);
    this.#field.bake();
    return picture;
  }

  // --- what happens ---

  #take(scene: Scene, id: string, tiles: readonly number[], nowMs: number): void {
    const player = playerOf(scene, id);
    // Tiles that come in one go are told of elsewhere: a loop, or a merge.
    if (player === undefined || tiles.length > 24) return;
    const count = this.look.isCalm ? 1 : 3;
    for (const tile of tiles) {
      const [x, y] = this.#middleOf(tile);
      this.#particles.burst(x, y, count, 1.6, tintOf(player.colour), nowMs, 0.13);
    }
  }

  #closeLoop(scene: Scene, id: string, tiles: readonly number[], nowMs: number): void {
    const player = playerOf(scene, id);
    if (player === undefined || tiles.length === 0) return;
    const [fallbackX, fallbackY] = this.#middleOf(tiles[0]!);
    const { x = fallbackX, y = fallbackY } = player.spark ?? {};
    const sparks = this.look.isCalm ? 0 : Math.min(3, 160 / tiles.length);
    for (const tile of tiles) {
      const [tileX, tileY] = this.#middleOf(tile);
      const atMs = nowMs + (1000 * Math.hypot(tileX - x, tileY - y)) / LOOP_TILES_PER_SECOND;
      this.#field.reveal(tile, atMs, !this.look.isCalm);
      if (Math.random() < sparks) {
        this.#particles.burst(tileX, tileY, Math.ceil(sparks), 2.2, tintOf(player.colour), atMs);
      }
    }
    this.#startWave(x, y, LOOP_TILES_PER_SECOND, Math.min(0.7, 0.15 + tiles.length / 120), nowMs);
    if (player.kind === 'me' && tiles.length > 8) this.#shakenAt = nowMs;
  }

  #takeEmber({ x, y, kind }: EmberView, nowMs: number): void {
    const tint = kind === 'fast' ? GOLD : ICE;
    this.#particles.burst(x, y, this.look.isCalm ? 6 : 34, 5, tint, nowMs, 0.22);
    this.#particles.add(x, y, 0, 0, tint, nowMs, 500, 2.2, SHAPES.ripple);
  }

  #celebrate(scene: Scene, id: string | undefined, nowMs: number): void {
    const winner = id === undefined ? undefined : playerOf(scene, id);
    if (winner === undefined || this.look.isCalm) return;
    const { columns, rows } = scene.field;
    for (let i = 0; i < 9; i++) {
      const x = columns * (0.12 + 0.76 * Math.random());
      const y = rows * (0.15 + 0.6 * Math.random());
      const atMs = nowMs + i * 260;
      this.#particles.burst(x, y, 34, 7, tintOf(winner.colour), atMs, 0.2);
      this.#particles.add(x, y, 0, 0, WHITE, atMs, 420, 2.4, SHAPES.twinkle);
    }
  }

  #greet(scene: Scene, id: string, nowMs: number): void {
    const player = playerOf(scene, id);
    if (player?.spark === undefined) return;
    const { x, y } = player.spark;
    const tint = tintOf(player.colour);
    this.#particles.add(x, y, 0, 0, tint, nowMs, 900, 3.4, SHAPES.ripple);
    this.#particles.burst(x, y, this.look.isCalm ? 6 : 26, 4, tint, nowMs, 0.2);
  }

  #merge(scene: Scene, event: GameEvent & { kind: 'merged' }, nowMs: number): void {
    const { x, y } = ownSpark(scene) ?? { x: scene.field.columns / 2, y: scene.field.rows / 2 };
    const arrival = (tile: number): number => {
      const [tileX, tileY] = this.#middleOf(tile);
      return nowMs + (1000 * Math.hypot(tileX - x, tileY - y)) / MERGE_TILES_PER_SECOND;
    };
    for (const tile of event.tiles) this.#field.reveal(tile, arrival(tile), !this.look.isCalm);
    for (const { tile, kept, lost } of event.conflicts) {
      const [tileX, tileY] = this.#middleOf(tile);
      const atMs = arrival(tile);
      const rival = playerOf(scene, lost[0] ?? '');
      if (rival !== undefined && !this.look.isCalm) this.#field.sparkle(tile, rival.colour, atMs);
      for (const id of [kept, ...lost]) {
        const player = playerOf(scene, id);
        if (player === undefined) continue;
        const tint = tintOf(player.colour);
        this.#particles.add(
          tileX,
          tileY,
          0,
          0,
          tint,
          atMs + 400 * Math.random(),
          900,
          1.1,
          SHAPES.twinkle,
        );
        if (!this.look.isCalm) this.#particles.burst(tileX, tileY, 3, 2.4, tint, atMs, 0.15);
      }
    }
    if (event.tiles.length > 0) this.#startWave(x, y, MERGE_TILES_PER_SECOND, 1, nowMs);
  }

  #startWave(x: number, y: number, speed: number, strength: number, nowMs: number): void {
    const calm = this.look.isCalm ? 0.3 : 1;
    Object.assign(this.#wave, { x, y, speed, strength: strength * calm, bornAt: nowMs });
  }

  #moveWave(shown: Mutable<Picture['wave']>, nowMs: number): void {
    const { x, y, speed, strength, bornAt } = this.#wave;
    // A frame's time may be of before the event that it shows.
    const radius = (Math.max(0, nowMs - bornAt) * speed) / 1000;
    const reach = Math.hypot(this.#field.columns, this.#field.rows);
    shown.x = x;
    shown.y = y;
    shown.radius = Math.min(radius, reach);
    shown.strength = radius < reach ? strength * (1 - radius / reach) : 0;
  }

  #shake(view: View, nowMs: number): void {
    const left = 1 - (nowMs - this.#shakenAt) / SHAKE_MS;
    if (left <= 0 || this.look.isCalm) return;
    view.left += 0.13 * left * left * Math.sin(nowMs / 17);
    view.top += 0.13 * left * left * Math.cos(nowMs / 23);
  }

  // --- what is there ---

  #drawEmber({ id, kind, x, y, fellAt }: EmberView, nowMs: number): void {
    const sprites = this.#sprites;
    const tint = kind === 'fast' ? GOLD : ICE;
    const fallen = Math.min(1, Math.max(0, (nowMs - fellAt) / FALLING_MS));
    const beat = this.look.isCalm ? 0.5 : 0.5 + 0.5 * Math.sin(nowMs / 260 + id.length + x);
    if (fallen < 1 && !this.look.isCalm) {
      const height = 7 * (1 - fallen) * (1 - fallen);
      sprites.add(x, y - height, 0.5, SHAPES.dot, tint, 1);
      sprites.add(x, y - height - 0.9, 0.22, SHAPES.dot, tint, 0.8, 0, Math.PI / 2, 5);
      sprites.add(x, y, 1.4 * fallen, SHAPES.ripple, tint, 0.35 * fallen);
      return;
    }
    const landed = Math.max(0, 1 - (nowMs - fellAt - FALLING_MS) / 500);
    if (landed > 0 && landed < 1) {
      sprites.add(x, y, 2.6 * (1 - landed) + 0.6, SHAPES.ripple, tint, 0.8 * landed);
    }
    this.#field.shine(x, y, 1.9 + 0.3 * beat, TINTS[tint]!, 0.85 + 0.5 * landed);
    sprites.add(x, y, 2.1 + 0.25 * beat, SHAPES.glow, tint, 0.6);
    sprites.add(x, y, 0.92 + 0.1 * beat, SHAPES.ripple, tint, 0.75);
    sprites.add(x, y, 0.66, kind === 'fast' ? SHAPES.bolt : SHAPES.brush, SOOT, 1, 0.7);
    sprites.add(x, y, 0.54, kind === 'fast' ? SHAPES.bolt : SHAPES.brush, tint, 1.15, 1);
  }

  #drawTrail({ id, spark, colour }: PlayerView, nowMs: number): void {
    if (spark === undefined) {
      this.#trails.delete(id);
      return;
    }
    let trail = this.#trails.get(id);
    if (trail === undefined) {
      trail = new Trail();
      this.#trails.set(id, trail);
    }
    trail.draw(this.#sprites, spark, tintOf(colour), nowMs);
  }

  #drawSpark({ kind, spark, colour }: PlayerView, nowMs: number): void {
    if (spark === undefined) return;
    const sprites = this.#sprites;
    const { x, y, heading, fastMs, wideMs } = spark;
    const tint = tintOf(colour);
    const beat = this.look.isCalm ? 0.5 : 0.5 + 0.5 * Math.sin(nowMs / 150 + x + y);
    this.#field.shine(x, y, 2.9, rgbOf(colour), 0.8 + 0.12 * beat + (fastMs > 0 ? 0.6 : 0));
    sprites.add(x, y, 2.7, SHAPES.glow, tint, 0.55 + 0.1 * beat);
    if (wideMs > 0) sprites.add(x, y, 1.75, SHAPES.ripple, ICE, 0.65 * Math.min(1, wideMs / 400));
    if (fastMs > 0) {
      const back = heading + Math.PI;
      const strength = Math.min(1, fastMs / 400);
      sprites.add(
        x + Math.cos(back),
        y + Math.sin(back),
        0.55,
        SHAPES.glow,
        GOLD,
        strength,
        0,
        heading,
        3.4,
      );
      if (!this.look.isCalm && Math.random() < 0.5) {
        this.#particles.add(x, y, back + Math.random() - 0.5, 4, GOLD, nowMs, 420, 0.17);
      }
    }
    const nose = 0.98 + (kind === 'me' ? 0.14 : 0);
    sprites.add(
      x + Math.cos(heading) * nose,
      y + Math.sin(heading) * nose,
      0.24,
      SHAPES.dot,
      WHITE,
      0.8,
    );
    if (kind === 'me') sprites.add(x, y, 1.13 + 0.07 * beat, SHAPES.ripple, WHITE, 0.6);
    sprites.add(x, y, 0.84, tint, SOOT, 1, 0.9);
    sprites.add(x, y, 0.68, tint, tint, 1, 1);
    sprites.add(x, y, 0.36, tint, WHITE, 1, 0.92);
  }

  #middleOf(tile: number): [number, number] {
    const { columns } = this.#field;
    return [(tile % columns) + 0.5, Math.floor(tile / columns) + 0.5];
  }
}

function playerOf(scene: Scene, id: string): PlayerView | undefined {
  return scene.players.find((player) => player.id === id);
}

function ownSpark(scene: Scene): SparkView | undefined {
  return scene.players.find(({ kind }) => kind === 'me')?.spark;
}
