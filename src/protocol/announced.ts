import { MAX_ANNOUNCED, type SayKeys } from './announcer.ts';
import type { Relay, RelayLink } from './relay.ts';
import { overLimit } from './violations.ts';

/** Answers are collected for so long. */
const HELD_MS = 100;

interface Heard {
  readonly key: string;
  isAnswered: boolean;
}

/**
 * The receiving half of what a session does about blocks that have several ways to come: answers what
 * the other side announces, in its order, and tells it which blocks came in vain.
 */
export class Announced implements RelayLink {
  readonly #relay: Relay;
  readonly #say: SayKeys;
  /** What is not called answered yet, the oldest first, and those of it that are not answered. */
  #heard: Heard[] = [];
  readonly #open = new Map<string, Heard>();
  #again: string[] = [];
  #answered = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(relay: Relay, say: SayKeys) {
    this.#relay = relay;
    this.#say = say;
    relay.join(this);
  }

  /** @throws ProtocolError `limit-exceeded` */
  async accept(keys: readonly string[]): Promise<void> {
    if (this.#heard.length + keys.length > MAX_ANNOUNCED) {
      throw overLimit(`announce: more than ${MAX_ANNOUNCED} at a time`);
    }
    const fresh: string[] = [];
    for (const key of keys) {
      const heard = { key, isAnswered: this.#open.has(key) };
      this.#heard.push(heard);
      if (heard.isAnswered) continue;
      this.#open.set(key, heard);
      fresh.push(key);
    }
    await this.#relay.announced(this, fresh);
  }

  answered(key: string): void {
    const heard = this.#open.get(key);
    if (heard === undefined) return;
    heard.isAnswered = true;
    this.#open.delete(key);
    this.#tellSoon();
  }

  fetch(keys: readonly string[]): void {
    if (this.#stopped) return;
    this.#say(keys, (part) => ({ kind: 'fetch', keys: part }));
    for (const key of keys) this.answered(key);
  }

  /** These blocks came by this link, and were here already. */
  cameAgain(keys: readonly string[]): void {
    if (keys.length === 0) return;
    this.#again.push(...keys);
    this.#tellSoon();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#relay.leave(this);
  }

  #tellSoon(): void {
    if (!this.#stopped) this.#timer ??= setTimeout(() => this.#tell(), HELD_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    const firstOpen = this.#heard.findIndex(({ isAnswered }) => !isAnswered);
    const answered = firstOpen < 0 ? this.#heard.length : firstOpen;
    if (answered === 0 && this.#again.length === 0) return;
    this.#heard.splice(0, answered);
    this.#answered += answered;
    const again = this.#again;
    this.#again = [];
    this.#say(again, (part) => ({ kind: 'held', count: this.#answered, again: part }));
  }
}
