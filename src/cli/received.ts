import type { Ledger } from '../index.ts';
import type { PeerEvent } from './peer-events.ts';

const INTERVAL_MS = 1000;

/** Counts what comes from others, and tells of it once a second at most. */
export class Received {
  /** Changes of documents since the beginning. */
  total = 0;
  readonly #say: (event: PeerEvent) => void;
  readonly #unsubscribe: () => void;
  #untold = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #documents: number;

  constructor(ledger: Ledger, say: (event: PeerEvent) => void) {
    this.#say = say;
    this.#documents = ledger.count();
    this.#unsubscribe = ledger.subscribe(({ ids, origin }) => {
      this.#documents = ledger.count();
      if (origin === 'local') return;
      this.total += ids.length;
      this.#untold += ids.length;
      this.#timer ??= setTimeout(() => this.#tell(), INTERVAL_MS);
    });
  }

  get documents(): number {
    return this.#documents;
  }

  close(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    if (this.#untold > 0) this.#tell();
  }

  #tell(): void {
    this.#timer = undefined;
    this.#say({ event: 'received', changes: this.#untold, documents: this.#documents });
    this.#untold = 0;
  }
}
