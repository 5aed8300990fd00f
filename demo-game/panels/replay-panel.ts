import { element } from '../../site/shared/element.ts';
import type { Look } from '../draw/spectacle.ts';
import { Stage } from '../draw/stage.ts';
import type { Game } from '../game.ts';
import type { Replay } from '../replay.ts';
import type { FieldView, Scene } from '../scene.ts';
import { dialog } from './dialogs.ts';
import type { Notices } from './notices.ts';
import { playerRow } from './player-row.ts';
import { clock } from './score-panel.ts';

/** A round is watched in this share of its time. */
const PLAY_SPEED = 6;

/** A past round, to be dragged through. */
export class ReplayPanel {
  readonly #game: Game;
  readonly #notices: Notices;
  readonly #look: () => Look;
  readonly #dialog = dialog('replay');
  readonly #time = element('replay-time', HTMLInputElement);
  readonly #play = element('replay-play');
  #stage: Stage | undefined;
  #replay: Replay | undefined;
  #field: FieldView | undefined;
  #isReading = false;
  #readMs = -1;
  #isPlaying = false;
  #framedAt = 0;

  constructor(game: Game, notices: Notices, look: () => Look) {
    this.#game = game;
    this.#notices = notices;
    this.#look = look;
    this.#time.addEventListener('input', () => this.#setPlaying(false));
    this.#play.addEventListener('click', () => {
      const isAtEnd = this.#time.valueAsNumber >= Number(this.#time.max);
      if (!this.#isPlaying && isAtEnd) this.#time.value = '0';
      this.#setPlaying(!this.#isPlaying);
    });
    this.#dialog.addEventListener('close', () => {
      this.#replay = undefined;
      this.#field = undefined;
    });
  }

  async open(round: number): Promise<void> {
    const replay = await this.#game.replay(round);
    if (replay === undefined) {
      return this.#notices.tell('That round is not kept here any more.');
    }
    this.#replay = replay;
    this.#readMs = -1;
    this.#time.max = String(replay.durationMs);
    this.#time.value = '0';
    element('replay-title').textContent = `Round ${round}`;
    this.#dialog.showModal();
    this.#play.focus();
    this.#stage ??= new Stage(
      element('replay-field', HTMLCanvasElement),
      this.#look(),
      'whole field',
    );
    this.#stage.look = this.#look();
    this.#setPlaying(true);
    requestAnimationFrame((nowMs) => this.#frame(replay, nowMs));
  }

  #frame(replay: Replay, nowMs: number): void {
    if (this.#replay !== replay) return;
    const stepMs = Math.min(100, nowMs - this.#framedAt);
    this.#framedAt = nowMs;
    if (this.#isPlaying) this.#time.valueAsNumber += stepMs * PLAY_SPEED;
    const atMs = this.#time.valueAsNumber;
    if (this.#isPlaying && atMs >= replay.durationMs) this.#setPlaying(false);
    element('replay-at').textContent = clock(atMs);
    this.#time.setAttribute('aria-valuetext', `${Math.round(atMs / 1000)} seconds`);
    if (!this.#isReading && atMs !== this.#readMs) void this.#read(replay, atMs);
    if (this.#field !== undefined) this.#stage!.paint(sceneOf(replay, this.#field), nowMs);
    requestAnimationFrame((next) => this.#frame(replay, next));
  }

  async #read(replay: Replay, atMs: number): Promise<void> {
    this.#isReading = true;
    this.#readMs = atMs;
    try {
      const field = await replay.fieldAt(atMs);
      if (this.#replay !== replay) return;
      this.#field = field;
      this.#rank(replay);
    } finally {
      this.#isReading = false;
    }
  }

  #rank({ players }: Replay): void {
    const ranked = [...players].sort((a, b) => b.tiles - a.tiles);
    element('replay-ranking').replaceChildren(
      ...ranked.map(({ kind, name, colour, tiles }) => {
        const row = playerRow();
        row.show({ name, colour, count: tiles, isMe: kind === 'me' });
        return row.element;
      }),
    );
  }

  #setPlaying(isPlaying: boolean): void {
    this.#isPlaying = isPlaying;
    this.#play.setAttribute('aria-pressed', String(isPlaying));
  }
}

function sceneOf({ players }: Replay, field: FieldView): Scene {
  return { field, players, embers: [], round: { phase: 'waiting' } };
}
