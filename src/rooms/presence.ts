import { equalBytes } from '../bytes.ts';
import { Listeners } from '../listeners.ts';
import type { MemberMessage } from './member-messages.ts';
import { decodeValue, encodeValue } from './value.ts';

/** 60 updates a second: what comes faster replaces what waits. */
const UPDATE_INTERVAL_MS = 1000 / 60;
/** A value that has stood for this long is sent once more, reliably. */
const SETTLE_MS = 150;

type PresenceMessage = MemberMessage & { kind: 'presence' };

interface Entry {
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
  readonly value: unknown;
}

/** What `LocalPresence` asks of its room. */
export interface PresenceHost {
  readonly self: string;
  nextNumber(): number;
  spread(message: PresenceMessage): void;
}

/**
 * A value of each member that lasts as long as the member stays: a cursor, a heading, a name. Only the
 * last one counts; it goes past the ledger, and is nowhere stored.
 */
export interface RoomPresence {
  /**
   * Shows this value to the others; undefined shows none. Up to 60 a second are sent, the last one in
   * any case.
   * @param value anything that dag-cbor holds, up to 16,128 bytes of it
   * @throws RoomError `invalid-option` for any other
   */
  set(value: unknown): void;
  /** One's own value. */
  readonly own: unknown;
  /** The others' values by the id of the peer: the same map until something changes. */
  all(): ReadonlyMap<string, unknown>;
  /** Calls the listener when another's value changes; returns the function that ends this. */
  subscribe(listener: () => void): () => void;
}

/** The presence of a room with links of its own. */
export class LocalPresence implements RoomPresence {
  readonly #host: PresenceHost;
  readonly #others = new Map<string, Entry>();
  readonly #listeners = new Listeners<[]>();
  #own: Entry | undefined;
  #all: ReadonlyMap<string, unknown> = new Map();
  #sentAt = Number.NEGATIVE_INFINITY;
  #updateTimer: ReturnType<typeof setTimeout> | undefined;
  #settleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: PresenceHost) {
    this.#host = host;
  }

  set(value: unknown): void {
    const bytes = value === undefined ? undefined : encodeValue(value);
    this.#own = { number: this.#host.nextNumber(), bytes, value };
    const waitMs = this.#sentAt + UPDATE_INTERVAL_MS - performance.now();
    if (waitMs <= 0) this.#send();
    else this.#updateTimer ??= setTimeout(() => this.#send(), waitMs);
  }

  get own(): unknown {
    return this.#own?.value;
  }

  all(): ReadonlyMap<string, unknown> {
    return this.#all;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  // --- for the room ---

  /** What a member tells. */
  hear(message: PresenceMessage): void {
    const known = this.#others.get(message.from);
    if (known !== undefined && known.number >= message.number) return;
    const { number, value: bytes } = message;
    const isSame = known !== undefined && sameBytes(known.bytes, bytes);
    const value = isSame ? known.value : decodeValue(bytes);
    this.#others.set(message.from, { number, bytes, value });
    if (!isSame) this.#changed();
  }

  /** The values of all, for one who has just been linked. */
  messages(): PresenceMessage[] {
    const entries: [string, Entry][] = [...this.#others];
    if (this.#own !== undefined) entries.push([this.#host.self, this.#own]);
    return entries.map(([from, { number, bytes }]) => message(from, number, bytes, true));
  }

  /** Those that are not there any more show nothing. */
  keepOnly(isThere: (id: string) => boolean): void {
    const gone = [...this.#others.keys()].filter((id) => !isThere(id));
    for (const id of gone) this.#others.delete(id);
    if (gone.length > 0) this.#changed();
  }

  close(): void {
    clearTimeout(this.#updateTimer);
    clearTimeout(this.#settleTimer);
    this.keepOnly(() => false);
  }

  #send(): void {
    clearTimeout(this.#updateTimer);
    this.#updateTimer = undefined;
    this.#sentAt = performance.now();
    this.#spread(false);
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      if (this.#own !== undefined) {
        this.#own = { ...this.#own, number: this.#host.nextNumber() };
        this.#spread(true);
      }
    }, SETTLE_MS);
  }

  #spread(settled: boolean): void {
    if (this.#own === undefined) return;
    this.#host.spread(message(this.#host.self, this.#own.number, this.#own.bytes, settled));
  }

  #changed(): void {
    const shown = [...this.#others].filter(([, { bytes }]) => bytes !== undefined);
    this.#all = new Map(shown.map(([id, { value }]) => [id, value]));
    this.#listeners.tell();
  }
}

function message(
  from: string,
  number: number,
  value: Uint8Array | undefined,
  settled: boolean,
): PresenceMessage {
  return { kind: 'presence', from, number, value, settled };
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equalBytes(a, b);
}
