import type { Output } from './output.ts';
import { describeEvent, type PeerEvent } from './peer-events.ts';
import { formatTime } from './terminal.ts';

/** Lines kept for a stdout that is read slower than things happen; further ones are only counted. */
const MAX_UNPRINTED = 10_000;

/** Prints events, one line each, in their order, and never holds up whoever tells of one. */
export class EventLog {
  /** Rejects when stdout does not take anything more. */
  readonly failed: Promise<never>;
  readonly #output: Output;
  #lines: string[] = [];
  #unprinted = 0;
  #printing: Promise<void> | undefined;
  #fail!: (error: unknown) => void;

  constructor(output: Output) {
    this.#output = output;
    this.failed = new Promise((_resolve, reject) => (this.#fail = reject));
    // Whoever waits for it hears of it.
    this.failed.catch(() => {});
  }

  say(event: PeerEvent): void {
    if (this.#lines.length < MAX_UNPRINTED) this.#lines.push(this.#lineOf(event));
    else this.#unprinted++;
    this.#printing ??= this.#print().catch(this.#fail);
  }

  /** Resolves when all has been printed, or cannot be. */
  async flush(): Promise<void> {
    await this.#printing;
  }

  async #print(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      await this.#output.write(lines.join(''));
      if (this.#unprinted === 0) continue;
      this.#lines.unshift(this.#lineOf({ event: 'unprinted', events: this.#unprinted }));
      this.#unprinted = 0;
    }
    this.#printing = undefined;
  }

  #lineOf(event: PeerEvent): string {
    const now = Date.now();
    // Plain JSON: what strangers say of themselves may look like a link or bytes, and be none.
    return this.#output.json
      ? `${JSON.stringify({ time: new Date(now).toISOString(), ...event })}\n`
      : `${formatTime(now)}  ${describeEvent(event)}\n`;
  }
}
