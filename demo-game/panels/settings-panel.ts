import { element } from '../../site/shared/element.ts';
import { COLOURS } from '../colours.ts';
import type { Game } from '../game.ts';
import { markIcon } from '../marks.ts';
import type { PlayerView } from '../scene.ts';
import type { Settings } from '../settings.ts';
import { dialog } from './dialogs.ts';
import { wordsFor } from './game-words.ts';

/** One's own name and colour, and how the game looks and sounds here. */
export class SettingsPanel {
  readonly #game: Game;
  readonly #dialog = dialog('settings');
  readonly #name = element('name', HTMLInputElement);
  readonly #trouble = element('settings-trouble');
  #me: PlayerView | undefined;

  constructor(game: Game, settings: Settings) {
    this.#game = game;
    element('settings-button').addEventListener('click', () => this.#open());
    element('name-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#do(() => game.rename(this.#name.value));
    });
    element('colours').append(...COLOURS.map(({ name }, colour) => this.#choice(colour, name)));
    for (const choice of ['sound', 'patterns', 'calm'] as const) {
      const box = element(choice, HTMLInputElement);
      const show = (): void => {
        box.checked = choice === 'calm' ? settings.isCalm : settings[choice];
      };
      box.addEventListener('change', () => settings.choose({ [choice]: box.checked }));
      settings.subscribe(show);
      show();
    }
  }

  /** What one is called now. */
  set me(me: PlayerView | undefined) {
    this.#me = me;
  }

  #open(): void {
    this.#trouble.textContent = '';
    this.#name.value = this.#me?.name ?? '';
    this.#showColour();
    this.#dialog.showModal();
    this.#name.select();
  }

  #showColour(): void {
    for (const input of element('colours').querySelectorAll('input')) {
      input.checked = Number(input.value) === this.#me?.colour;
    }
  }

  #choice(colour: number, name: string): HTMLLabelElement {
    const label = document.createElement('label');
    label.className = 'colour';
    const input = document.createElement('input');
    Object.assign(input, { type: 'radio', name: 'colour', value: String(colour) });
    input.addEventListener('change', () => void this.#do(() => this.#game.recolour(colour)));
    label.append(input, markIcon(colour), name);
    return label;
  }

  async #do(change: () => Promise<void>): Promise<void> {
    this.#trouble.textContent = '';
    try {
      await change();
    } catch (error) {
      this.#trouble.textContent = wordsFor(error);
      this.#showColour();
    }
  }
}
