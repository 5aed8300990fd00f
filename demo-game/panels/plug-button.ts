import { element } from '../../site/shared/element.ts';
import type { Game } from '../game.ts';
import type { Connection } from '../scene.ts';
import type { Notices } from './notices.ts';

/** Cuts one's own network, and joins it again; says how the game is connected. */
export class PlugButton {
  readonly #game: Game;
  readonly #notices: Notices;
  readonly #button = element('plug', HTMLButtonElement);
  #state: Connection['state'] = 'connecting';

  constructor(game: Game, notices: Notices) {
    this.#game = game;
    this.#notices = notices;
    this.#button.addEventListener('click', () => void this.#toggle());
    this.#show(game.connection);
  }

  hear(connection: Connection): void {
    const before = this.#state;
    this.#show(connection);
    if (before !== connection.state) this.#tell(connection.state, before);
  }

  async #toggle(): Promise<void> {
    this.#button.disabled = true;
    if (this.#state === 'unplugged') await this.#game.plug();
    else await this.#game.unplug();
    this.#button.disabled = false;
    this.#button.focus();
  }

  #show({ state }: Connection): void {
    this.#state = state;
    const isUnplugged = state === 'unplugged';
    this.#button.setAttribute('aria-pressed', String(isUnplugged));
    element('plug-words').textContent = isUnplugged ? 'Plug in' : 'Unplug';
    this.#button.title = isUnplugged
      ? 'Join the others again'
      : 'Cut your own network, and play on';
    document.body.classList.toggle('unplugged', isUnplugged);
  }

  #tell(state: Connection['state'], before: Connection['state']): void {
    switch (state) {
      case 'unplugged':
        return this.#notices.tell('Unplugged. You play on alone; so do the others.');
      case 'offline':
        return this.#notices.tell('The network is gone. The game goes on here.');
      case 'playing':
        // Who has come is told by name.
        return;
      case 'alone':
        if (before === 'unplugged' || before === 'offline') {
          this.#notices.tell('Plugged in. Nobody else is here.');
        }
        return;
      case 'connecting':
        if (before === 'unplugged') this.#notices.tell('Plugging in …');
        return;
    }
  }
}
