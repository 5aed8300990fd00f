import type { CID } from 'multiformats/cid';
import type { Frame } from './channel.ts';
import type { Replica } from './replica.ts';
import { tell } from '../tell.ts';

/** What one side lacks of the other's blocks, as far as the side that tells it knows. */
export interface TracedLack {
  /** Undefined where only the other side can tell. */
  readonly count: number | undefined;
  /** Up to `MAX_TRACED_CIDS`, the oldest first. Of what is lacked here mostly the other side's heads alone. */
  readonly cids: readonly CID[];
}

export type TraceFact =
  /** A session begins. */
  | { readonly kind: 'opened' }
  /** It is over: in order without an error. */
  | { readonly kind: 'closed'; readonly error: Error | undefined }
  /** A frame was sent or came: what the protocol calls it, and its bytes. */
  | {
      readonly kind: 'message';
      readonly direction: 'in' | 'out';
      readonly type: string;
      readonly bytes: number;
    }
  /**
   * What the comparison found, before this side streams what the other one lacks. `how`: both hold the
   * same (`equal`); the heads tell it all, since one side has news alone (`heads`); read out of symbols
   * (`sketch`); by full lists (`list`); by contexts, where one side has dropped commits (`context`);
   * or the other side gets the state in place of commits (`snapshot`).
   */
  | {
      readonly kind: 'difference';
      readonly how: 'equal' | 'heads' | 'sketch' | 'list' | 'context' | 'snapshot';
      readonly lackedHere: TracedLack;
      readonly lackedThere: TracedLack;
    }
  /** Blocks that were sent whole, or that came and are stored; `bytes` of them without their frames. */
  | {
      readonly kind: 'blocks';
      readonly direction: 'in' | 'out';
      readonly cids: readonly CID[];
      readonly bytes: number;
    }
  /** The other side has stored so many more of the blocks that were told as sent, in their order. */
  | { readonly kind: 'acknowledged'; readonly blocks: number };

/** What happens in a session of a ledger, as it happens: see `traceSync`. */
export type TraceEvent = TraceFact & {
  /** Counts the sessions of this process, or page. */
  readonly session: number;
  /** The id of the member at the other end; undefined outside of rooms. */
  readonly peer: string | undefined;
  /** In milliseconds since 1970. */
  readonly at: number;
};

export const MAX_TRACED_CIDS = 1000;

const utf8 = new TextEncoder();

/** Those who listen to what the sessions of one replica do. */
export class Trace {
  static readonly #byReplica = new WeakMap<Replica, Trace>();
  static #sessions = 0;

  readonly #listeners = new Set<(event: TraceEvent) => void>();

  /** The trace of a replica, which is also that of all that guard it. */
  static of(replica: Replica): Trace {
    let guarded = replica;
    while (guarded.guards !== undefined) guarded = guarded.guards;
    let trace = this.#byReplica.get(guarded);
    if (trace === undefined) {
      trace = new Trace();
      this.#byReplica.set(guarded, trace);
    }
    return trace;
  }

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  subscribe(listener: (event: TraceEvent) => void): () => void {
    // Not the listener itself: it may listen twice.
    const entry = (event: TraceEvent): void => listener(event);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** What a new session tells. @param peer who is at the other end, if that is known */
  session(peer: string | undefined): SessionTrace {
    return new SessionTrace(this, ++Trace.#sessions, peer);
  }

  tell(event: TraceEvent): void {
    for (const listener of this.#listeners) tell(listener, event);
  }
}

/** What one session tells. Ask `isHeard` before anything is made to be told. */
export class SessionTrace {
  readonly #trace: Trace;
  readonly #session: number;
  readonly #peer: string | undefined;

  constructor(trace: Trace, session: number, peer: string | undefined) {
    this.#trace = trace;
    this.#session = session;
    this.#peer = peer;
  }

  get isHeard(): boolean {
    return this.#trace.isHeard;
  }

  tell(fact: TraceFact): void {
    this.#trace.tell({ ...fact, session: this.#session, peer: this.#peer, at: Date.now() });
  }

  message(direction: 'in' | 'out', type: string, frame: Frame): void {
    if (!this.isHeard) return;
    const bytes = typeof frame === 'string' ? utf8.encode(frame).length : frame.length;
    this.tell({ kind: 'message', direction, type, bytes });
  }
}
