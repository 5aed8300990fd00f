import type { CID } from 'multiformats/cid';
import { ProtocolError } from '../../errors.ts';
import { type CidList, CidSet, countOf, packCids } from './list.ts';

/** The most CIDs that a list may have in all: 4,000,000. */
export const MAX_LIST_CIDS = 4_000_000;

/** True for a block that the other side lacks. */
export type Lacks = (cid: CID) => boolean;

/**
 * The simplest way to learn what the other side lacks: each tells all that it has. This class holds
 * the other side's list as it comes in; `listParts` cuts one's own.
 */
export class ListExchange {
  readonly #theirs = new CidSet();
  #listed = 0;
  #complete = false;

  get complete(): boolean {
    return this.#complete;
  }

  /** @throws ProtocolError `unexpected-message` after the last part, `limit-exceeded` beyond bounds */
  accept(list: CidList, last: boolean): void {
    const count = countOf(list);
    if (this.#complete || (count === 0 && !last)) {
      throw new ProtocolError('unexpected-message', 'have: an empty part, or one after the last');
    }
    this.#listed += count;
    if (this.#listed > MAX_LIST_CIDS) {
      throw new ProtocolError('limit-exceeded', `have: more than ${MAX_LIST_CIDS} CIDs`);
    }
    this.#theirs.addList(list);
    this.#complete = last;
  }

  readonly lacks: Lacks = (cid) => !this.#theirs.has(cid);
}

/** Cuts CIDs into lists of at most `perPart`. */
export async function* listParts(
  cids: Iterable<CID> | AsyncIterable<CID>,
  perPart: number,
): AsyncGenerator<CidList> {
  let part: CID[] = [];
  for await (const cid of cids) {
    part.push(cid);
    if (part.length === perPart) {
      yield packCids(part);
      part = [];
    }
  }
  if (part.length > 0) yield packCids(part);
}
