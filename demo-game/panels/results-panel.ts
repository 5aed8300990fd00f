import { element } from '../../site/shared/element.ts';
import type { Game } from '../game.ts';
import type { RoundResult, RoundView } from '../scene.ts';
import { dialog } from './dialogs.ts';
import { playerRow } from './player-row.ts';
import type { ReplayPanel } from './replay-panel.ts';

/** So many rounds are listed; the counting goes over all. */
const MOST_LISTED = 100;
const SHOWN_AT_THE_END = 4;

/** How the last round ended, between two rounds; and all rounds ever played. */
export class ResultsPanel {
  readonly #game: Game;
  readonly #replay: ReplayPanel;
  readonly #over = element('over');
  readonly #dialog = dialog('results');
  #last: RoundResult | undefined;

  constructor(game: Game, replay: ReplayPanel) {
    this.#game = game;
    this.#replay = replay;
    for (const id of ['results-button', 'settings-results', 'over-results']) {
      element(id).addEventListener('click', () => void this.#open());
    }
    element('over-replay').addEventListener('click', () => {
      if (this.#last !== undefined) void replay.open(this.#last.number);
    });
  }

  /** Between two rounds the last one's result lies over the field. */
  async end(result: RoundResult): Promise<void> {
    this.#last = result;
    const wins = winsOf(await this.#game.results(), result);
    const [winner] = result.ranking;
    element('over-title').textContent = this.#title(result);
    this.#fill(
      'over-ranking',
      result.ranking.slice(0, SHOWN_AT_THE_END).map((each) => ({
        ...each,
        count: each.tiles,
        note: rounds(wins.get(each.player)?.won ?? 0),
      })),
    );
    this.#over.hidden = winner === undefined;
  }

  begin(): void {
    const hadFocus = this.#over.contains(document.activeElement);
    this.#over.hidden = true;
    if (hadFocus) element('field').focus();
  }

  show(round: RoundView): void {
    if (this.#over.hidden) return;
    if (round.phase === 'playing') return this.begin();
    if (round.phase === 'waiting') return;
    const words = `The next round begins in ${Math.ceil(round.nextInMs / 1000)} s.`;
    const next = element('over-next');
    if (next.textContent !== words) next.textContent = words;
  }

  /** Results have changed. */
  async refresh(): Promise<void> {
    if (this.#dialog.open) await this.#fillAll();
    if (this.#over.hidden) return;
    // What was on its way when the round ended counts too.
    const results = await this.#game.results();
    const settled = results.find(({ number }) => number === this.#last?.number);
    if (settled !== undefined && !this.#over.hidden) await this.end(settled);
  }

  async #open(): Promise<void> {
    element('settings', HTMLDialogElement).close();
    await this.#fillAll();
    this.#dialog.showModal();
  }

  async #fillAll(): Promise<void> {
    const results = await this.#game.results();
    element('no-results').hidden = results.length > 0;
    const wins = [...winsOf(results).values()].filter(({ won }) => won > 0);
    wins.sort((a, b) => b.won - a.won);
    this.#fill(
      'wins',
      wins.map((each) => ({ ...each, count: rounds(each.won), note: '' })),
    );
    element('rounds').replaceChildren(
      ...results.slice(0, MOST_LISTED).map((result) => this.#roundRow(result)),
    );
  }

  #fill(
    id: string,
    players: readonly {
      player: string;
      name: string;
      colour: number;
      count: number | string;
      note: string;
    }[],
  ): void {
    element(id).replaceChildren(
      ...players.map(({ player, ...shown }) => {
        const row = playerRow();
        row.show({ ...shown, isMe: player === this.#game.me });
        return row.element;
      }),
    );
  }

  #roundRow(result: RoundResult): HTMLLIElement {
    const row = document.createElement('li');
    row.className = 'round';
    const words = document.createElement('span');
    words.className = 'round-words';
    const [winner] = result.ranking;
    words.textContent =
      winner === undefined
        ? `Round ${result.number}: nobody burned anything`
        : `Round ${result.number}: ${winner.name}, ${winner.tiles} tiles`;
    const watch = document.createElement('button');
    watch.type = 'button';
    watch.textContent = 'Watch';
    watch.setAttribute('aria-label', `Watch round ${result.number}`);
    watch.addEventListener('click', () => void this.#replay.open(result.number));
    row.append(words, watch);
    return row;
  }

  #title({ number, ranking: [first, second] }: RoundResult): string {
    if (first === undefined) return `Round ${number} is over`;
    if (second?.tiles === first.tiles) return `Round ${number} is a draw`;
    return first.player === this.#game.me
      ? `You win round ${number}!`
      : `${first.name} wins round ${number}`;
  }
}

/** How many rounds each has won, with the name of the newest. */
function winsOf(
  results: readonly RoundResult[],
  newest?: RoundResult,
): Map<string, { player: string; name: string; colour: number; won: number }> {
  const wins = new Map<string, { player: string; name: string; colour: number; won: number }>();
  const isListed = newest === undefined || results.some(({ number }) => number === newest.number);
  for (const { ranking } of isListed ? results : [newest, ...results]) {
    ranking.forEach(({ player, name, colour, tiles }) => {
      const known = wins.get(player) ?? { player, name, colour, won: 0 };
      if (tiles === ranking[0]!.tiles) known.won++;
      wins.set(player, known);
    });
  }
  return wins;
}

function rounds(won: number): string {
  return won === 1 ? '1 round won' : `${won} rounds won`;
}
