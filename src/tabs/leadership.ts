import type { TabEnvironment } from './environment.ts';

/** How long a tab that failed at leading leaves it to others. */
const PAUSE_MS = 1000;

export interface LeadershipOptions {
  readonly name: string;
  /**
   * Leads until it resolves, or until `lost` says that another tab has taken the lock. Never rejects;
   * resolves with false when it could not, and others shall try first.
   */
  readonly lead: (lost: AbortSignal) => Promise<boolean>;
  /** Do not wait: called instead of `lead` when the lock is held elsewhere. */
  readonly ifTaken?: () => void;
}

/** Which of several tabs leads: the one that holds a Web Lock. The others wait in line. */
export class Leadership {
  readonly #locks: TabEnvironment['locks'];
  readonly #options: LeadershipOptions;
  /** The last time of leading: it is over before the next one begins. */
  #leading: Promise<boolean> | undefined;
  #waiting = new AbortController();
  #stealing = false;
  #given = false;
  readonly #ended: Promise<void>;

  constructor(locks: TabEnvironment['locks'], options: LeadershipOptions) {
    this.#locks = locks;
    this.#options = options;
    this.#ended = this.#compete();
  }

  /** Takes the lock from whoever holds it. */
  steal(): void {
    this.#stealing = true;
    this.#waiting.abort();
  }

  /** Waits no more. Resolves when the lock is free of this tab: after `lead` has. */
  async giveUp(): Promise<void> {
    this.#given = true;
    this.#waiting.abort();
    await this.#ended;
  }

  async #compete(): Promise<void> {
    while (!this.#given) {
      const lost = new AbortController();
      try {
        await this.#request(lost.signal);
        if (this.#options.ifTaken !== undefined) return;
      } catch {
        // Stolen; or called back from the line; or the page is not active, and cannot have locks.
      }
      lost.abort();
      const wasCalled = this.#stealing || this.#waiting.signal.aborted;
      const goesOn = this.#leading === undefined ? wasCalled : await this.#leading;
      this.#leading = undefined;
      if (!goesOn && !this.#given) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #request(lost: AbortSignal): Promise<void> {
    this.#waiting = new AbortController();
    const { name, lead, ifTaken } = this.#options;
    const work = async (lock: Lock | null): Promise<void> => {
      if (lock === null) return ifTaken?.();
      if (this.#given) return;
      this.#leading = lead(lost);
      await this.#leading;
    };
    if (ifTaken !== undefined) return this.#locks.request(name, { ifAvailable: true }, work);
    if (this.#stealing) {
      this.#stealing = false;
      return this.#locks.request(name, { steal: true }, work);
    }
    return this.#locks.request(name, { signal: this.#waiting.signal }, work);
  }
}
