import { element } from '../../site/shared/element.ts';
import { COLOURS } from '../colours.ts';
import type { PlayerView, RoundView, Scene } from '../scene.ts';
import { playerRow, type PlayerRow } from './player-row.ts';

const EVERY_MS = 120;
const SOON_MS = 10_000;

/** The clock, who has how much of the field, and the ranking. */
export class ScorePanel {
  readonly #time = element('clock-time');
  readonly #round = element('clock-round');
  readonly #territory = element('territory');
  readonly #list = element('ranking-list');
  readonly #rows = new Map<string, PlayerRow>();
  readonly #parts = new Map<string, HTMLElement>();
  #shownAt = -Infinity;

  /** Call it once a frame; it does not work each time. */
  show({ round, players, field }: Scene, nowMs: number): void {
    if (nowMs - this.#shownAt < EVERY_MS) return;
    this.#shownAt = nowMs;
    this.#showClock(round);
    const ranked = [...players].sort((a, b) => b.tiles - a.tiles);
    this.#forget(new Set(players.map(({ id }) => id)));
    ranked.forEach((player, place) => {
      this.#showRow(player, place);
      this.#showPart(player, place, field.owners.length);
    });
  }

  #showClock(round: RoundView): void {
    const isSoon = round.phase === 'playing' && round.remainingMs < SOON_MS;
    this.#time.classList.toggle('soon', isSoon);
    switch (round.phase) {
      case 'waiting':
        return this.#say('0:00', 'Lighting the field …');
      case 'playing':
        return this.#say(clock(round.remainingMs), `Round ${round.number}`);
      case 'over':
        return this.#say(clock(round.nextInMs), 'to the next round');
    }
  }

  #say(time: string, words: string): void {
    if (this.#time.textContent !== time) this.#time.textContent = time;
    if (this.#round.textContent !== words) this.#round.textContent = words;
  }

  #showRow({ id, kind, name, colour, tiles, spark }: PlayerView, place: number): void {
    let row = this.#rows.get(id);
    if (row === undefined) this.#rows.set(id, (row = playerRow()));
    row.show({
      name,
      colour,
      count: tiles,
      note: note(kind, spark !== undefined),
      isMe: kind === 'me',
    });
    put(this.#list, row.element, place);
  }

  #showPart({ id, colour, tiles }: PlayerView, place: number, total: number): void {
    let part = this.#parts.get(id);
    if (part === undefined) this.#parts.set(id, (part = document.createElement('span')));
    part.style.color = COLOURS[colour]?.value ?? '';
    part.style.width = `${(100 * tiles) / total}%`;
    put(this.#territory, part, place);
  }

  #forget(present: ReadonlySet<string>): void {
    for (const [id, row] of this.#rows) {
      if (present.has(id)) continue;
      row.element.remove();
      this.#parts.get(id)?.remove();
      this.#rows.delete(id);
      this.#parts.delete(id);
    }
  }
}

/** Minutes and seconds, rounded up as clocks that run down are. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function note(kind: PlayerView['kind'], isThere: boolean): string {
  switch (kind) {
    case 'me':
      return 'you';
    case 'bot':
      return 'bot';
    case 'friend':
      return isThere ? '' : 'away';
  }
}

/** Moves a child to its place, if it is not there. */
function put(parent: Element, child: Element, place: number): void {
  const there = parent.children[place] ?? null;
  if (there !== child) parent.insertBefore(child, there);
}
