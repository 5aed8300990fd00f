import type { Ledger, SyncProgress } from 'emberlink';
import { copyOf, part } from '../shared/element.ts';
import type { Pairing } from './pairing.ts';
import { wordsFor } from './words.ts';

/** One paired browser: how far it is, and how to end it. */
export class PeerRow {
  readonly element: HTMLElement = copyOf('peer');
  readonly #pairing: Pairing;
  readonly #ledger: Ledger;
  readonly #state: HTMLElement = part(this.element, 'peer-state');
  readonly #detail: HTMLElement = part(this.element, 'peer-detail');
  readonly #progress: HTMLProgressElement = part(
    this.element,
    'peer-progress',
    HTMLProgressElement,
  );
  readonly #end: HTMLButtonElement = part(this.element, 'peer-end', HTMLButtonElement);

  /** @param dismissed is called when the person wants to see no more of it */
  constructor(pairing: Pairing, ledger: Ledger, dismissed: () => void) {
    this.#pairing = pairing;
    this.#ledger = ledger;
    this.#end.addEventListener('click', () => {
      if (pairing.state.state === 'over') dismissed();
      else void pairing.close();
    });
    pairing.subscribe(() => this.#show());
    this.#show();
  }

  #show(): void {
    const { state } = this.#pairing;
    const isSame = state.state === 'live' && state.isSame;
    const isOver = state.state === 'over';
    this.element.classList.toggle('same', isSame);
    this.element.classList.toggle('over', isOver);
    this.#end.textContent = isOver ? 'Dismiss' : 'Disconnect';
    this.#progress.hidden = state.state !== 'syncing';
    switch (state.state) {
      case 'preparing':
      case 'offering':
      case 'answering':
      case 'connecting':
        return;
      case 'syncing':
        this.#progress.value = portion(state.progress);
        return this.#say('Paired', amounts(state.progress));
      case 'live':
        return state.isSame
          ? this.#say('In sync', `${this.#here()}, the same there.${lag(state.lagMs)}`)
          : this.#say('Paired', `${this.#here()}; the other side is catching up`);
      case 'over':
        return this.#say(
          'Disconnected',
          state.error === undefined
            ? 'Your notes stay here. Pair again to go on.'
            : wordsFor(state.error),
        );
    }
  }

  #here(): string {
    const count = this.#ledger.count();
    return count === 1 ? '1 note here' : `${count} notes here`;
  }

  #say(state: string, detail: string): void {
    this.#state.textContent = state;
    this.#detail.textContent = detail;
  }
}

function portion({ sent, toSend, received, toReceive }: SyncProgress): number {
  const total = toSend.bytes + toReceive.bytes;
  return total === 0 ? 0 : Math.min(1, (sent.bytes + received.bytes) / total);
}

function amounts({ sent, received }: SyncProgress): string {
  return `${kilobytes(sent.bytes)} sent, ${kilobytes(received.bytes)} received`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

function lag(lagMs: number | undefined): string {
  if (lagMs === undefined) return '';
  return ` A change is there after ${lagMs < 10 ? lagMs.toFixed(1) : Math.round(lagMs)} ms.`;
}
