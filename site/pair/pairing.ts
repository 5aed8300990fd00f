import { Sync, type Ledger, type SyncProgress } from 'emberlink';

export type PairingState =
  /** The offer is being made. */
  | { readonly state: 'preparing' }
  /** The offer waits for an answer. */
  | { readonly state: 'offering'; readonly text: string }
  /** The answer waits for the other side to take it. */
  | { readonly state: 'answering'; readonly text: string }
  | { readonly state: 'connecting' }
  | { readonly state: 'syncing'; readonly progress: SyncProgress }
  /** `lagMs`: what the last write of this side took to be stored on the other one, and to be told so. */
  | { readonly state: 'live'; readonly isSame: boolean; readonly lagMs: number | undefined }
  | { readonly state: 'over'; readonly error: Error | undefined };

/** One connection to one other browser, from the first text to the end. */
export class Pairing {
  readonly #sync: Sync;
  readonly #listeners = new Set<() => void>();
  #state: PairingState = { state: 'preparing' };
  #measurements = 0;

  constructor(ledger: Ledger) {
    this.#sync = new Sync(ledger);
    const stop = ledger.subscribe(({ origin }) => void this.#measure(origin === 'local'));
    this.#sync.subscribe((status) => {
      switch (status.state) {
        case 'new':
        case 'offering':
        case 'accepting':
          return;
        case 'connecting':
          return this.#set({ state: 'connecting' });
        case 'syncing':
          return this.#set({ state: 'syncing', progress: status.progress });
        case 'live':
          this.#set({ state: 'live', isSame: false, lagMs: undefined });
          return void this.#measure(false);
        case 'closed':
          stop();
          return this.#set({ state: 'over', error: status.error });
      }
    });
  }

  get state(): PairingState {
    return this.#state;
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** @throws ConnectionError when no offer can be made here */
  async offer(): Promise<void> {
    const text = await this.#sync.offer();
    this.#set({ state: 'offering', text });
  }

  /** @throws SignalError for a text that is no offer for this side */
  async accept(offer: string): Promise<void> {
    const text = await this.#sync.accept(offer);
    this.#set({ state: 'answering', text });
  }

  /** @throws SignalError for a text that is not the answer to this offer */
  connect(answer: string): void {
    this.#sync.connect(answer);
  }

  /** Delivers what was written before, then ends. */
  async close(): Promise<void> {
    await this.#sync.close();
  }

  /** Ends at once, and tells the other side as far as there is time. */
  destroy(): void {
    this.#sync.destroy();
  }

  /** Finds out when the other side has all that is here; for a write of this side, how soon. */
  async #measure(isWrite: boolean): Promise<void> {
    if (this.#state.state !== 'live') return;
    const measurement = ++this.#measurements;
    const since = performance.now();
    this.#set({ ...this.#state, isSame: false });
    try {
      await this.#sync.synced();
    } catch {
      // It has ended: the status says why.
      return;
    }
    // A later change has its own measurement.
    if (this.#state.state !== 'live' || measurement !== this.#measurements) return;
    const lagMs = isWrite ? performance.now() - since : this.#state.lagMs;
    this.#set({ state: 'live', isSame: true, lagMs });
  }

  #set(state: PairingState): void {
    if (this.#state.state === 'over') return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
