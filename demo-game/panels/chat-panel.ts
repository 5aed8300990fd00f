import { element } from '../../site/shared/element.ts';
import { isForOthers } from '../controls.ts';
import type { Game } from '../game.ts';
import { markIcon } from '../marks.ts';
import type { ChatLine } from '../scene.ts';
import type { Notices } from './notices.ts';
import { wordsFor } from './game-words.ts';

/** What people say to each other. On small screens it opens by its button, and new lines pass over the field. */
export class ChatPanel {
  readonly #game: Game;
  readonly #notices: Notices;
  readonly #lines = element('chat-lines');
  readonly #text = element('chat-text', HTMLInputElement);
  readonly #button = element('chat-button');
  /** On wide screens the chat is always there. */
  readonly #isSmall = matchMedia('(max-width: 899px), (max-height: 559px)');

  constructor(game: Game, notices: Notices) {
    this.#game = game;
    this.#notices = notices;
    element('chat-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#say();
    });
    this.#button.addEventListener('click', () => this.#open(!this.#isOpen));
    addEventListener('keydown', (event) => {
      const isOnControl =
        event.target instanceof Element && event.target.closest('a, button, summary');
      if (event.key !== 'Enter' || isOnControl || isForOthers(event)) return;
      event.preventDefault();
      this.#open(true);
    });
    this.#text.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#open(false);
    });
    this.show();
  }

  show(): void {
    this.#lines.replaceChildren(...this.#game.chat().map(lineOf));
    this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  /** A new line. */
  hear(line: ChatLine): void {
    this.show();
    const isSeen = !this.#isSmall.matches || this.#isOpen;
    if (line.player !== this.#game.me && !isSeen) {
      this.#notices.tell(`${line.name}: ${line.text}`, line.colour);
    }
  }

  get #isOpen(): boolean {
    return document.body.classList.contains('chatting');
  }

  #open(isOpen: boolean): void {
    document.body.classList.toggle('chatting', isOpen);
    this.#button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) this.#text.focus();
    else element('field').focus();
  }

  async #say(): Promise<void> {
    const { value } = this.#text;
    this.#text.value = '';
    try {
      await this.#game.say(value);
    } catch (error) {
      this.#text.value = value;
      return this.#notices.tell(wordsFor(error));
    }
    // Back to the game.
    this.#open(false);
  }
}

function lineOf({ name, colour, text }: ChatLine): HTMLLIElement {
  const line = document.createElement('li');
  const who = document.createElement('strong');
  who.textContent = name;
  line.append(markIcon(colour), who, text);
  return line;
}
