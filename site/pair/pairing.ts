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
  /** `lag`: what a write of this side took to be stored on the other one; 0 for none yet. */
  | { readonly state: 'live'; readonly isSame: boolean; readonly lagMs: number }
  | { readonly state: 'over'; readonly error: Error | undefined };

/** One connection to one other browser, from the first text to the end. */
export class Pairing {
  readonly #sync: Sync;
  readonly #listeners = new Set<() => void>();
  #state: PairingState = { state: 'preparing' };
  #isMeasuring = false;
  #measuresAgain = false;

  constructor(ledger: Ledger) {
    this.#sync = new Sync(ledger);
    const stop = ledger.subscribe(() => void this.#measure());
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
          this.#set({ state: 'live', isSame: false, lagMs: 0 });
          return void this.#measure();
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

  /** Finds out when the other side has all that is here. */
  async #measure(): Promise<void> {
    if (this.#state.state !== 'live') return;
    this.#set({ ...this.#state, isSame: false });
    this.#measuresAgain = true;
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    try {
      let lagMs = 0;
      while (this.#measuresAgain) {
        this.#measuresAgain = false;
        const since = performance.now();
        await this.#sync.synced();
        lagMs = performance.now() - since;
      }
      if (this.#state.state === 'live') this.#set({ state: 'live', isSame: true, lagMs });
    } catch {
      // It has ended: the status says why.
    } finally {
      this.#isMeasuring = false;
    }
  }

  #set(state: PairingState): void {
    if (this.#state.state === 'over') return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
