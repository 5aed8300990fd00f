import { type Ledger, SignalError } from 'emberlink';
import { element, leadFocus } from '../shared/element.ts';
import { Handover, type Reception } from './handover.ts';
import { linkTo } from './link.ts';
import { PeerRow } from './peer-row.ts';
import { Pairing } from './pairing.ts';
import { qrCode } from '../shared/qr-code.ts';
import { CameraRefusal, readPicture, scanWithCamera } from './scanner.ts';
import { wordsFor } from './words.ts';

/** Of a longer text, which is rare, no camera could read the code. */
const MAX_CODE_CHARACTERS = 1000;

/** The part of the page by which two browsers get to know each other. */
export class PairingPanel {
  readonly #ledger: Ledger;
  readonly #handover: Handover;
  /** The one that is not connected yet. */
  #pairing: Pairing | undefined;
  /** With a browser paired already, the way to pair another one is shown when it is asked for. */
  #wantsMore = false;

  readonly #take = element('take', HTMLFormElement);
  readonly #takeText = element('take-text', HTMLTextAreaElement);
  readonly #link = element('give-link', HTMLInputElement);

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#handover = new Handover((text) => this.#receive(text));
    this.#on('make-offer', () => this.#offer());
    this.#on('copy-link', () => this.#copy('The link', 0));
    this.#on('copy-text', () => this.#copy('The text', this.#link.value.indexOf('#') + 1));
    element('pair-more').addEventListener('click', () => {
      this.#wantsMore = true;
      this.#show();
      element('make-offer').focus();
    });
    this.#on('scan', () => this.#scan());
    this.#on('cancel', () => this.#cancel());
    this.#take.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#do(() => this.#use(this.#takeText.value));
    });
    const picture = element('picture', HTMLInputElement);
    picture.addEventListener('change', () => {
      const [file] = picture.files ?? [];
      if (file !== undefined) this.#do(async () => this.#use(await readPicture(file)));
      picture.value = '';
    });
    this.#prepareSharing();
    this.#show();
  }

  /** Uses what a link has brought: here, or in the tab that waits for it. */
  async bring(text: string): Promise<void> {
    const reception = this.#pairing === undefined ? await this.#handover.offer(text) : 'nobody';
    switch (reception) {
      case 'taken':
        return this.#tell(
          'The answer went to the tab that was waiting for it, and the two are connecting. You can close this one.',
        );
      case 'own-offer':
        return this.#complain(new SignalError('own-offer', 'opened where it was made'));
      case 'nobody':
        return this.#do(() => this.#use(text));
    }
  }

  // --- what people do ---

  async #offer(): Promise<void> {
    await this.#begin((pairing) => pairing.offer());
    this.#leadTo('give-title');
  }

  /** An offer, or the answer to the one that is out. */
  async #use(text: string): Promise<void> {
    if (this.#pairing?.state.state === 'offering') {
      this.#pairing.connect(text);
    } else {
      await this.#begin((pairing) => pairing.accept(text));
      this.#leadTo('give-title');
    }
    this.#takeText.value = '';
  }

  async #begin(step: (pairing: Pairing) => Promise<void>): Promise<void> {
    // A link may bring an offer while an answer to another one is waiting.
    void this.#pairing?.close();
    const pairing = new Pairing(this.#ledger);
    this.#pairing = pairing;
    // Else the other side would find out after a while only.
    addEventListener('pagehide', () => pairing.destroy());
    pairing.subscribe(() => this.#follow(pairing));
    this.#show();
    try {
      await step(pairing);
    } catch (error) {
      // What ended the connection is told where its end is told.
      if (pairing.state.state === 'over') return;
      this.#pairing = undefined;
      void pairing.close();
      this.#show();
      throw error;
    }
  }

  async #scan(): Promise<void> {
    const text = await scanWithCamera();
    if (text !== undefined) await this.#use(text);
  }

  /** @param start where in the link begins what is wanted */
  async #copy(what: string, start: number): Promise<void> {
    const { value } = this.#link;
    try {
      await navigator.clipboard.writeText(value.slice(start));
      this.#tell(`${what} is copied. Paste it where the other person finds it.`);
    } catch {
      this.#link.focus();
      this.#link.setSelectionRange(start, value.length);
      this.#tell('The browser lets this page copy nothing. It is selected: copy it by hand.');
    }
  }

  async #cancel(): Promise<void> {
    const pairing = this.#pairing;
    this.#pairing = undefined;
    this.#wantsMore = false;
    this.#show();
    element('pairing-title').focus();
    await pairing?.close();
  }

  #prepareSharing(): void {
    const share = element('share-link');
    // Not in every browser.
    share.hidden = !('share' in navigator);
    share.addEventListener('click', () => {
      // Whoever changes their mind has not failed.
      navigator.share({ url: this.#link.value }).catch(() => {});
    });
  }

  // --- what happens ---

  /** Uses what a link brought into another tab, when it is for this one. */
  #receive(text: string): Reception {
    if (this.#pairing?.state.state !== 'offering') return 'nobody';
    try {
      this.#pairing.connect(text);
      return 'taken';
    } catch (error) {
      const isOwn = error instanceof SignalError && error.code === 'own-offer';
      return isOwn ? 'own-offer' : 'nobody';
    }
  }

  #follow(pairing: Pairing): void {
    if (pairing !== this.#pairing) return;
    const { state } = pairing;
    switch (state.state) {
      case 'preparing':
      case 'offering':
      case 'answering':
      case 'connecting':
        break;
      case 'syncing':
      case 'live':
        this.#pairing = undefined;
        this.#welcome(pairing);
        break;
      case 'over':
        this.#pairing = undefined;
        if (state.error !== undefined) this.#complain(state.error);
        break;
    }
    this.#show();
  }

  #welcome(pairing: Pairing): void {
    const peers = element('peers');
    const row = new PeerRow(pairing, this.#ledger, () => {
      row.element.remove();
      peers.hidden = peers.children.length === 0;
      element('pairing-title').focus();
      this.#show();
    });
    peers.append(row.element);
    peers.hidden = false;
    this.#wantsMore = false;
    this.#quiet();
    this.#leadTo('pairing-title');
  }

  // --- what is to be seen ---

  #show(): void {
    const state = this.#pairing?.state;
    const hasPeers = element('peers').children.length > 0;
    const isIdle = state === undefined && (this.#wantsMore || !hasPeers);
    const given = state?.state === 'offering' || state?.state === 'answering' ? state : undefined;
    const isOffer = given?.state === 'offering';
    element('pair-more').hidden = state !== undefined || isIdle;
    element('begin').hidden = !isIdle;
    element('give').hidden = given === undefined;
    this.#take.hidden = !isIdle && !isOffer;
    const isWaiting = state?.state === 'preparing' || state?.state === 'connecting';
    element('wait').hidden = !isWaiting;
    element('cancel').hidden = state === undefined;
    element('take-title').textContent = isOffer
      ? '2. Bring back their answer'
      : 'Did you get an offer?';
    element('wait-text').textContent =
      state?.state === 'connecting'
        ? 'Connecting the two browsers …'
        : 'Looking for ways to this browser …';
    if (given === undefined) return;
    element('give-title').textContent = isOffer
      ? '1. Give them your offer'
      : 'Give them your answer';
    element('give-text').textContent = isOffer
      ? 'They open the link in their browser, or scan the code.'
      : 'They scan this code on the page where the offer is, or paste or open the link there. Then the two connect by themselves.';
    element('give-hint').textContent =
      'Keep this tab open: it is what they connect to. It waits ten minutes.';
    this.#link.value = linkTo(given.text);
    const name = isOffer ? 'Code of your offer' : 'Code of your answer';
    const isShort = this.#link.value.length <= MAX_CODE_CHARACTERS;
    element('code').replaceChildren(...(isShort ? [qrCode(this.#link.value, name)] : []));
  }

  #leadTo(id: string): void {
    leadFocus(element(id), element('pairing'));
  }

  #tell(words: string): void {
    element('trouble').hidden = true;
    element('news').hidden = false;
    element('news').textContent = words;
  }

  #complain(error: unknown): void {
    element('news').hidden = true;
    element('trouble').hidden = false;
    element('trouble').textContent =
      error instanceof CameraRefusal ? error.message : wordsFor(error);
  }

  #quiet(): void {
    element('news').hidden = true;
    element('trouble').hidden = true;
  }

  #on(id: string, action: () => Promise<void>): void {
    element(id).addEventListener('click', () => this.#do(action));
  }

  #do(action: () => Promise<void>): void {
    this.#quiet();
    action().catch((error: unknown) => this.#complain(error));
  }
}
