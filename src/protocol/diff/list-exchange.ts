import type { CID } from 'multiformats/cid';
import { type CidSource, slices } from '../slices.ts';
import { type CidList, CidSet, countOf, packCids } from './list.ts';
import { outOfTurn, overLimit } from '../violations.ts';

/** The most CIDs that a list may have in all: 4,000,000. */
export const MAX_LIST_CIDS = 4_000_000;

/** What a listed CID takes in a frame, at most, and what the frame holds beside them, in bytes. */
const LISTED_CID_BYTES = 48;
const LIST_OVERHEAD_BYTES = 160;

/** True for a block that the other side lacks. */
export type Lacks = (cid: CID) => boolean;

/**
 * The simplest way to learn what the other side lacks: each tells all that it has. This class holds
 * the other side's list as it comes in; `listParts` cuts one's own.
 */
export class ListExchange {
  readonly #kind: 'have' | 'pages';
  readonly #theirs = new CidSet();
  #listed = 0;
  #complete = false;

  /** @param kind the message that its parts come in */
  constructor(kind: 'have' | 'pages') {
    this.#kind = kind;
  }

  /** True once the other side has begun to tell. */
  get begun(): boolean {
    return this.#listed > 0 || this.#complete;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** How many the other side has told. */
  get listed(): number {
    return this.#listed;
  }

  /** @throws ProtocolError `unexpected-message` after the last part, `limit-exceeded` beyond bounds */
  accept(list: CidList, last: boolean): void {
    const count = countOf(list);
    if (this.#complete || (count === 0 && !last)) {
      throw outOfTurn(`${this.#kind}: an empty part, or one after the last`);
    }
    this.#listed += count;
    if (this.#listed > MAX_LIST_CIDS) {
      throw overLimit(`${this.#kind}: more than ${MAX_LIST_CIDS} CIDs`);
    }
    this.#theirs.addList(list);
    this.#complete = last;
  }

  readonly lacks: Lacks = (cid) => !this.#theirs.has(cid);
}

/** The first `count` CIDs in lists of at most `perPart`, behind them an empty one that says so. */
export async function* listParts(
  cids: CidSource,
  count: number,
  perPart: number,
): AsyncGenerator<{ list: CidList; last: boolean }> {
  let part: CID[] = [];
  for await (const slice of slices(cids, count)) {
    for (const cid of slice) {
      part.push(cid);
      if (part.length < perPart) continue;
      yield { list: packCids(part), last: false };
      part = [];
    }
  }
  if (part.length > 0) yield { list: packCids(part), last: false };
  yield { list: packCids([]), last: true };
}

/** How many CIDs fit into one frame of a list or a hello. */
export function listedCids(frameBytes: number): number {
  return Math.floor((frameBytes - LIST_OVERHEAD_BYTES) / LISTED_CID_BYTES);
}
