import type { InspectorElement } from 'emberlink/inspector';
import { element } from '../../site/shared/element.ts';
import type { Game } from '../game.ts';

/** What happens inside: beside the game, or below it on small screens. It is loaded when it is asked for. */
export class InspectorPanel {
  readonly #game: Game;
  readonly #panel = element('inspector');
  readonly #button = element('inspector-button');
  #inspector: InspectorElement | undefined;

  constructor(game: Game) {
    this.#game = game;
    this.#button.addEventListener('click', () => void this.#open(this.#panel.hidden !== false));
    element('inspector-close').addEventListener('click', () => {
      void this.#open(false);
      this.#button.focus();
    });
  }

  /** The room is another one after one was unplugged. */
  follow(): void {
    if (this.#inspector !== undefined) this.#inspector.room = this.#game.room;
  }

  async #open(isOpen: boolean): Promise<void> {
    this.#panel.hidden = !isOpen;
    this.#button.setAttribute('aria-expanded', String(isOpen));
    this.#inspector?.remove();
    this.#inspector = undefined;
    if (!isOpen) return;
    element('inspector-title').focus();
    const { mountInspector } = await import('emberlink/inspector');
    // It was closed, or opened anew, meanwhile.
    if (this.#panel.hidden || this.#inspector !== undefined) return;
    const { ledger, room } = this.#game;
    this.#inspector = mountInspector(element('inspector-place'), { ledger, room });
    this.#inspector.setAttribute('theme', 'dark');
  }
}
