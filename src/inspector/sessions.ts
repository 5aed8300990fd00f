import type { TraceEvent } from './trace-event.ts';
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
  /** How many blocks were here then, and how many of them the other side lacked. */
  readonly heldHere: number;
  readonly mine: OneSide;
  readonly theirs: OneSide;
}

/** What one side alone had. */
export interface OneSide {
  /** Undefined where nobody could tell. */
  readonly count: number | undefined;
  /** The first ones, as far as known. */
  readonly cids: readonly string[];
  /** Those that have travelled since, of all that did. */
  readonly travelled: ReadonlySet<string>;
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

/** What the other side of a session goes by: its member's id, or a name of ours. */
export function peerOf({ peer, session }: { peer: string | undefined; session: number }): string {
  return peer ?? `link ${session}`;
}

type MutableSide = OneSide & { readonly travelled: Set<string> };
interface MutableRecord extends SessionRecord {
  comparison: (Comparison & { mine: MutableSide; theirs: MutableSide }) | undefined;
  unacknowledged: number;
  blocksIn: number;
  blocksOut: number;
  compared: { messages: number; bytes: number };
}

const MAX_CIDS = 200;
/** Comparisons outlive their sessions, so that one can look at them. */
const MAX_COMPARISONS = 8;

/** The sessions that there are, from what `traceSync` tells. */
export class Sessions {
  readonly #open = new Map<number, MutableRecord>();
  readonly #compared: MutableRecord[] = [];

  /** Those that are open, in the order in which they began. */
  get open(): readonly SessionRecord[] {
    return [...this.#open.values()];
  }

  /** The last ones that compared what they have, newest first. */
  get compared(): readonly SessionRecord[] {
    return this.#compared;
  }

  /**
   * @param nowMs on a clock that does not go back
   * @param heldHere how many blocks are here
   */
  take(event: TraceEvent, nowMs: number, heldHere: number): void {
    if (event.kind === 'closed') {
      this.#open.delete(event.session);
      return;
    }
    const record = this.#recordOf(event);
    switch (event.kind) {
      case 'opened':
        return;
      case 'message':
        record.traffic.add(event.direction, event.bytes, nowMs);
        if (record.comparison === undefined) {
          record.compared.messages++;
          record.compared.bytes += event.bytes;
        }
        return;
      case 'difference':
        this.#compare(record, event, heldHere);
        return;
      case 'blocks': {
        const { comparison } = record;
        if (event.direction === 'in') {
          record.blocksIn += event.cids.length;
          note(comparison?.theirs, event.cids);
        } else {
          record.blocksOut += event.cids.length;
          record.unacknowledged += event.cids.length;
          note(comparison?.mine, event.cids);
        }
        return;
      }
      case 'acknowledged':
        record.unacknowledged = Math.max(0, record.unacknowledged - event.blocks);
        return;
    }
  }

  clear(): void {
    this.#open.clear();
    this.#compared.length = 0;
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
        compared: { messages: 0, bytes: 0 },
      };
      this.#open.set(session, record);
    }
    return record;
  }

  #compare(record: MutableRecord, event: TraceEvent & { kind: 'difference' }, held: number): void {
    record.comparison = {
      at: event.at,
      how: event.how,
      ...record.compared,
      tookMs: event.at - record.openedAt,
      heldHere: held,
      mine: sideOf(event.lackedThere),
      theirs: sideOf(event.lackedHere),
    };
    const before = this.#compared.findIndex((each) => isSamePeer(each, record));
    if (before !== -1) this.#compared.splice(before, 1);
    this.#compared.unshift(record);
    this.#compared.splice(MAX_COMPARISONS);
  }
}

function sideOf(lacked: { count: number | undefined; cids: readonly object[] }): MutableSide {
  const cids = lacked.cids.slice(0, MAX_CIDS).map(String);
  return { count: lacked.count, cids, travelled: new Set() };
}

/** Of a member the last comparison alone is of interest. */
function isSamePeer(one: SessionRecord, other: SessionRecord): boolean {
  return one.peer === undefined ? one === other : one.peer === other.peer;
}

/** Blocks that have travelled; those that are written later are none of the difference. */
function note(side: MutableSide | undefined, cids: readonly object[]): void {
  if (side === undefined || side.travelled.size === side.cids.length) return;
  for (const cid of cids.map(String)) if (side.cids.includes(cid)) side.travelled.add(cid);
}
