import { remember } from '../remember.ts';

/** What happened, in a line. */
export interface LoggedEvent {
  /** From 1, without gaps. */
  readonly number: number;
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly kind: EventKind;
  /** Who it is about: a member's id, or a name of ours for a session without one. */
  readonly peer: string | undefined;
  readonly text: string;
  /** The facts, as JSON takes them. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export const EVENT_KINDS = [
  'write',
  'commit',
  'room',
  'peer',
  'session',
  'message',
  'difference',
  'blocks',
  'conflict',
  'error',
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

export interface EventFilter {
  readonly kinds: ReadonlySet<EventKind>;
  /** Undefined for all. */
  readonly peer: string | undefined;
  /** What the line contains, in any case. */
  readonly text: string;
}

const MAX_PEERS = 50;

/** The last so many events. */
export class EventLog {
  readonly #most: number;
  readonly #events: LoggedEvent[] = [];
  /** Where the oldest one lies, once all places are taken. */
  #start = 0;
  #count = 0;
  readonly #peers = new Map<string, true>();

  constructor(most = 5000) {
    this.#most = most;
  }

  /** How many there have been; the number of the last one. */
  get count(): number {
    return this.#count;
  }

  get size(): number {
    return this.#events.length;
  }

  /** Those that events were about, the last ones of them. */
  get peers(): readonly string[] {
    return [...this.#peers.keys()];
  }

  add(event: Omit<LoggedEvent, 'number'>): void {
    if (event.peer !== undefined && !this.#peers.has(event.peer)) {
      remember(this.#peers, event.peer, true, MAX_PEERS);
    }
    const numbered = { number: ++this.#count, ...event };
    if (this.#events.length < this.#most) {
      this.#events.push(numbered);
      return;
    }
    this.#events[this.#start] = numbered;
    this.#start = (this.#start + 1) % this.#most;
  }

  /** Newest first, those up to an event's number. */
  *newestFirst(upTo: number = this.#count): Generator<LoggedEvent> {
    const size = this.#events.length;
    const skipped = this.#count - Math.min(upTo, this.#count);
    for (let back = skipped + 1; back <= size; back++) {
      yield this.#events[(this.#start + size - back) % size]!;
    }
  }

  clear(): void {
    this.#events.length = 0;
    this.#start = 0;
    this.#peers.clear();
  }

  /** All of them, oldest first, each as JSON on a line of its own. */
  toJsonLines(): string {
    const lines = Array.from(this.newestFirst(), ({ at, facts, ...event }) =>
      JSON.stringify({ at: new Date(at).toISOString(), ...event, ...facts }),
    );
    return lines
      .reverse()
      .map((line) => `${line}\n`)
      .join('');
  }
}

export function passes(event: LoggedEvent, { kinds, peer, text }: EventFilter): boolean {
  if (!kinds.has(event.kind)) return false;
  if (peer !== undefined && event.peer !== peer) return false;
  return text === '' || event.text.toLowerCase().includes(text.toLowerCase());
}
