import type { Ledger } from '../index.ts';
import { chunksOf, writeCar } from './car-file.ts';
import { pause } from './interrupt.ts';

export interface BackupOptions {
  readonly file: string;
  readonly everyMs: number;
  /** The documents of now, without their past. */
  readonly snapshot: boolean;
}

export interface BackupEvents {
  saved(bytes: number): void;
  /** It is tried again at the next time. */
  failed(error: unknown): void;
}

/** Keeps a file a copy of a ledger: written again, as a whole, when the ledger has changed. */
export class Backup {
  readonly #ledger: Ledger;
  readonly #options: BackupOptions;
  readonly #events: BackupEvents;
  readonly #timer: ReturnType<typeof setInterval>;
  #savedClock: string | undefined;
  #saving: Promise<void> | undefined;

  constructor(ledger: Ledger, options: BackupOptions, events: BackupEvents) {
    this.#ledger = ledger;
    this.#options = options;
    this.#events = events;
    this.#timer = setInterval(() => {
      this.#save().catch((error: unknown) => events.failed(error));
    }, options.everyMs);
  }

  /**
   * Writes what has changed since, and ends.
   * @throws CliError `bad-input` when the file cannot be written
   */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    // Of its failure was told.
    await this.#saving?.catch(() => {});
    await this.#save();
  }

  #save(): Promise<void> {
    this.#saving ??= this.#write().finally(() => (this.#saving = undefined));
    return this.#saving;
  }

  async #write(): Promise<void> {
    const { file, snapshot } = this.#options;
    const clock = String(this.#ledger.clock);
    // An empty ledger may be one that was lost: what is left of it is the file.
    if (clock === this.#savedClock || clock === '') return;
    let bytes = 0;
    await writeCar(this.#slowly(snapshot), file, (length) => (bytes = length));
    this.#savedClock = clock;
    this.#events.saved(bytes);
  }

  /** Links stay alive while it is written. */
  async *#slowly(snapshot: boolean): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunksOf(this.#ledger, snapshot)) {
      yield chunk;
      await pause();
    }
  }
}
