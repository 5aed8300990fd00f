import type { SignalingSettings } from './settings.ts';
import { TokenBucket } from './token-bucket.ts';

/** What one connection, or all of one address, may send. */
export class Allowance {
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(
    messagesPerSecond: number,
    bytesPerSecond: number,
    { burstSeconds, maxMessageBytes }: SignalingSettings,
    nowMs: number,
  ) {
    // However low the rate: one message, of the largest size, is always possible in the end.
    const messages = Math.max(1, messagesPerSecond * burstSeconds);
    const bytes = Math.max(maxMessageBytes, bytesPerSecond * burstSeconds);
    this.#messages = new TokenBucket(messagesPerSecond, messages, nowMs);
    this.#bytes = new TokenBucket(bytesPerSecond, bytes, nowMs);
  }

  /** Takes one message of so many bytes off what is allowed; false where it is more. */
  take(bytes: number, nowMs: number): boolean {
    return this.#messages.take(1, nowMs) && this.#bytes.take(bytes, nowMs);
  }

  isWhole(nowMs: number): boolean {
    return this.#messages.isFull(nowMs) && this.#bytes.isFull(nowMs);
  }
}

/** All connections of one address. */
export interface AddressUse {
  connections: number;
  /** TCP connections, be they those or not; 0 where proxies make them. */
  sockets: number;
  readonly allowance: Allowance;
}

export function connectionAllowance(settings: SignalingSettings, nowMs: number): Allowance {
  const { messagesPerSecond, bytesPerSecond } = settings;
  return new Allowance(messagesPerSecond, bytesPerSecond, settings, nowMs);
}

/** What each address has open and has sent lately. */
export class AddressBook {
  readonly #settings: SignalingSettings;
  readonly #uses = new Map<string, AddressUse>();

  constructor(settings: SignalingSettings) {
    this.#settings = settings;
  }

  /** @param address as `addressGroup` names it */
  use(address: string, nowMs: number): AddressUse {
    let use = this.#uses.get(address);
    if (use === undefined) {
      const { messagesPerSecondPerAddress, bytesPerSecondPerAddress } = this.#settings;
      const allowance = new Allowance(
        messagesPerSecondPerAddress,
        bytesPerSecondPerAddress,
        this.#settings,
        nowMs,
      );
      use = { connections: 0, sockets: 0, allowance };
      this.#uses.set(address, use);
    }
    return use;
  }

  /** Forgets addresses of which nothing is open, and to which nothing can be held any more. */
  sweep(nowMs: number): void {
    for (const [address, { connections, sockets, allowance }] of this.#uses) {
      const isUnused = connections === 0 && sockets === 0;
      if (isUnused && allowance.isWhole(nowMs)) this.#uses.delete(address);
    }
  }
}
