import type { TraceEvent } from '../index.ts';
import { Traffic } from './traffic.ts';

/** How two sides found out what each lacks, the last time that they did. */
export interface Comparison {
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly how: Extract<TraceEvent, { kind: 'difference' }>['how'];
  /** What it took: messages and bytes of both sides, since the session began. */
  readonly messages: number;
  readonly bytes: number;
  readonly tookMs: number;
  /** How many blocks were here before, those that the other side lacked among them. */
  readonly heldHere: number;
  readonly mine: OneSide;
  readonly theirs: OneSide;
}

/** What one side alone had. */
export interface OneSide {
  /** How many blocks; undefined until it is known. */
  readonly count: number | undefined;
  /** The first ones, as far as known. */
  readonly cids: readonly string[];
  /** Of these the ones that have travelled since, */
  readonly travelled: ReadonlySet<string>;
  /** and how many did in all. */
  readonly travelledCount: number;
}

/** A conversation with one peer. */
export interface SessionRecord {
  readonly session: number;
  /** A member's id; undefined outside of rooms. */
  readonly peer: string | undefined;
  readonly openedAt: number;
  readonly traffic: Traffic;
  readonly comparison: Comparison | undefined;
  /** Sent, and not yet known to be stored there. */
  readonly unacknowledged: number;
  readonly blocksIn: number;
  readonly blocksOut: number;
}

const MAX_CIDS = 500;
/** Comparisons outlive their sessions, so that one can look at them. */
const MAX_COMPARISONS = 8;

/** What the other side of a session goes by: its member's id, or a name of ours. */
export function peerOf({ peer, session }: { peer: string | undefined; session: number }): string {
  return peer ?? `link ${session}`;
}

type TracedLack = Extract<TraceEvent, { kind: 'difference' }>['lackedHere'];
type MutableComparison = Comparison & { readonly mine: Side; readonly theirs: Side };

interface MutableRecord extends SessionRecord {
  comparison: MutableComparison | undefined;
  unacknowledged: number;
  blocksIn: number;
  blocksOut: number;
  messages: number;
  bytes: number;
  /** What came before the comparison was done here: the other side may be done with it sooner. */
  early: string[];
}

/** The sessions that there are, from what `traceSync` tells. */
export class Sessions {
  readonly #open = new Map<number, MutableRecord>();
  readonly #compared: MutableRecord[] = [];

  /** Those that are open, in the order in which they began. */
  get open(): readonly SessionRecord[] {
    return [...this.#open.values()];
  }

  /** The last ones that compared what they have, newest first; of each member the last one alone. */
  get compared(): readonly SessionRecord[] {
    return this.#compared;
  }

  /**
   * @param nowMs on a clock that does not go back
   * @param heldHere how many blocks are here
   */
  take(event: TraceEvent, nowMs: number, heldHere: number): void {
    switch (event.kind) {
      case 'opened':
        this.#recordOf(event);
        return;
      case 'closed':
        this.#open.delete(event.session);
        return;
      case 'message': {
        const record = this.#recordOf(event);
        record.traffic.add(event.direction, event.bytes, nowMs);
        record.messages++;
        record.bytes += event.bytes;
        return;
      }
      case 'difference':
        this.#compare(this.#recordOf(event), event, heldHere);
        return;
      case 'blocks': {
        const record = this.#recordOf(event);
        const count = event.cids.length;
        if (event.direction === 'in') {
          record.blocksIn += count;
          const cids = event.cids.map(String);
          if (record.comparison === undefined) record.early.push(...cids.slice(0, MAX_CIDS));
          else record.comparison.theirs.travel(cids);
        } else {
          record.blocksOut += count;
          record.unacknowledged += count;
          record.comparison?.mine.travel(event.cids.map(String));
        }
        return;
      }
      case 'acknowledged': {
        const record = this.#recordOf(event);
        // Those that were sent before anybody looked were not counted.
        record.unacknowledged = Math.max(0, record.unacknowledged - event.blocks);
        return;
      }
    }
  }

  /** Forgets the sessions: what becomes of them is not heard. */
  clear(): void {
    this.#open.clear();
  }

  #recordOf({ session, peer, at }: TraceEvent): MutableRecord {
    let record = this.#open.get(session);
    if (record === undefined) {
      record = {
        session,
        peer,
        openedAt: at,
        traffic: new Traffic(),
        comparison: undefined,
        unacknowledged: 0,
        blocksIn: 0,
        blocksOut: 0,
        messages: 0,
        bytes: 0,
        early: [],
      };
      this.#open.set(session, record);
    }
    return record;
  }

  #compare(
    record: MutableRecord,
    { at, how, lackedHere, lackedThere }: Extract<TraceEvent, { kind: 'difference' }>,
    heldHere: number,
  ): void {
    const theirs = new Side(lackedHere);
    theirs.travel(record.early);
    record.comparison = {
      at,
      how,
      messages: record.messages,
      bytes: record.bytes,
      tookMs: at - record.openedAt,
      heldHere: heldHere - record.early.length,
      mine: new Side(lackedThere),
      theirs,
    };
    record.early = [];
    const before = this.#compared.findIndex(
      (each) => each === record || (each.peer !== undefined && each.peer === record.peer),
    );
    if (before !== -1) this.#compared.splice(before, 1);
    this.#compared.unshift(record);
    this.#compared.splice(MAX_COMPARISONS);
  }
}

class Side implements OneSide {
  readonly cids: string[];
  readonly travelled: Set<string> = new Set();
  travelledCount = 0;
  count: number | undefined;
  /** Those that are known and have not travelled. */
  readonly #waiting: Set<string>;

  constructor({ count, cids }: TracedLack) {
    this.count = count;
    this.cids = cids.slice(0, MAX_CIDS).map(String);
    this.#waiting = new Set(this.cids);
  }

  /** These went, or came: those of the difference come first, and later ones are none of it. */
  travel(cids: readonly string[]): void {
    for (const cid of cids) {
      if (this.#waiting.delete(cid)) this.#note(cid);
      else if (this.count === undefined) {
        if (this.cids.length < MAX_CIDS) this.cids.push(cid);
        this.#note(cid);
      } else if (this.cids.length < this.count && this.travelledCount < this.count) {
        this.travelledCount++;
      }
      // The other side's heads come last: when they are here, so is all below them.
      if (this.count === undefined && this.#waiting.size === 0) this.count = this.travelledCount;
    }
  }

  #note(cid: string): void {
    this.travelledCount++;
    if (this.travelled.size < MAX_CIDS) this.travelled.add(cid);
  }
}
