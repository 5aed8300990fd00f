import { SignalError } from 'emberlink';
import { element } from '../../site/shared/element.ts';
import { qrCode } from '../../site/shared/qr-code.ts';
import type { Game } from '../game.ts';
import { copyFrom, dialog } from './dialogs.ts';
import { wordsFor } from './game-words.ts';

/** Of a longer text, which is rare, no camera could read the code. */
const MOST_CODE_LETTERS = 1000;

type Pasting =
  | { readonly state: 'idle' }
  | { readonly state: 'offering' | 'answering'; readonly text: string };

/** How friends come in: by a link, or by two pasted texts where there is no server. */
export class InvitePanel {
  readonly #game: Game;
  readonly #hasServer: boolean;
  readonly #dialog = dialog('invite');
  readonly #link = element('invite-link', HTMLInputElement);
  readonly #text = element('paste-text', HTMLInputElement);
  readonly #taken = element('paste-taken', HTMLTextAreaElement);
  #pasting: Pasting = { state: 'idle' };

  /** @param hasServer without one a link alone brings nobody in */
  constructor(game: Game, hasServer: boolean) {
    this.#game = game;
    this.#hasServer = hasServer;
    element('invite-button').addEventListener('click', () => this.open());
    this.#on('invite-copy', async () => this.#tell(await copyFrom(this.#link)));
    this.#on('paste-copy', async () => this.#tell(await copyFrom(this.#text)));
    this.#on('paste-offer', () => this.#offer());
    this.#on('paste-cancel', async () => this.#show({ state: 'idle' }));
    element('paste-take').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#do(() => this.#use(this.#taken.value));
    });
    const share = element('invite-share');
    share.hidden = !('share' in navigator);
    share.addEventListener('click', () => {
      // Whoever changes their mind has not failed.
      navigator.share({ title: 'Emberfield', url: this.#link.value }).catch(() => {});
    });
    this.#link.value = game.inviteLink;
    element('invite-code').replaceChildren(qrCode(game.inviteLink, 'Code of the link'));
    element('by-link').hidden = !hasServer;
    element('by-pasting', HTMLDetailsElement).open = !hasServer;
    this.#show({ state: 'idle' });
  }

  open(): void {
    this.#quiet();
    this.#dialog.showModal();
    element(this.#hasServer ? 'invite-copy' : 'paste-offer').focus();
  }

  /** Somebody came in, perhaps by what was pasted. */
  welcome(): void {
    if (this.#pasting.state === 'idle') return;
    this.#show({ state: 'idle' });
    this.#dialog.close();
  }

  /** Answers the offer that a link has brought. */
  bring(offer: string): void {
    element('by-pasting', HTMLDetailsElement).open = true;
    this.open();
    this.#do(() => this.#use(offer));
  }

  async #offer(): Promise<void> {
    this.#show({ state: 'offering', text: await this.#game.offer() });
    element('paste-give-title').focus();
  }

  /** An answer to the offer that is out, else an offer. */
  async #use(text: string): Promise<void> {
    const elsewhere = this.#otherGame(text);
    if (elsewhere !== undefined) {
      location.href = elsewhere;
      return;
    }
    if (this.#pasting.state === 'offering') {
      this.#game.connect(text);
      this.#tell('Connecting the two browsers …');
    } else {
      this.#show({ state: 'answering', text: await this.#game.accept(text) });
      element('paste-give-title').focus();
    }
    this.#taken.value = '';
  }

  /** The link in a text, when it leads to another room than this. */
  #otherGame(text: string): string | undefined {
    const [link] = /https?:\/\/\S+#\S*\broom=\S+/.exec(text) ?? [];
    if (link === undefined) return undefined;
    const roomOf = (address: string): string | null =>
      new URLSearchParams(new URL(address).hash.slice(1)).get('room');
    return roomOf(link) === roomOf(this.#game.inviteLink) ? undefined : link;
  }

  #show(pasting: Pasting): void {
    this.#pasting = pasting;
    const isOffer = pasting.state === 'offering';
    element('paste-begin').hidden = pasting.state !== 'idle';
    element('paste-give').hidden = pasting.state === 'idle';
    element('paste-take').hidden = pasting.state === 'answering';
    element('paste-taken-label').textContent = isOffer
      ? '2. Paste the answer that comes back'
      : 'Were you sent an offer? Paste it here';
    if (pasting.state === 'idle') return;
    element('paste-give-title').textContent = isOffer
      ? '1. Send this offer'
      : 'Send back this answer';
    element('paste-give-words').textContent = isOffer
      ? 'Your friend opens the link, or scans the code, and is shown an answer to send back.'
      : 'It belongs into the page where the offer was made. Then the two connect by themselves; keep this page open.';
    element('paste-text-label').textContent = isOffer ? 'Offer' : 'Answer';
    this.#text.value = pasting.text;
    const isShort = pasting.text.length <= MOST_CODE_LETTERS;
    const name = isOffer ? 'Code of the offer' : 'Code of the answer';
    element('paste-code').replaceChildren(...(isShort ? [qrCode(pasting.text, name)] : []));
  }

  #tell(words: string): void {
    element('invite-news').textContent = words;
  }

  #quiet(): void {
    element('invite-news').textContent = '';
    element('invite-trouble').textContent = '';
  }

  #on(id: string, action: () => Promise<void>): void {
    element(id).addEventListener('click', () => this.#do(action));
  }

  #do(action: () => Promise<void>): void {
    this.#quiet();
    action().catch((error: unknown) => {
      if (error instanceof SignalError && error.code === 'already-used')
        this.#show({ state: 'idle' });
      element('invite-trouble').textContent = wordsFor(error);
    });
  }
}
