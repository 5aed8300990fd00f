import type { CID } from 'multiformats/cid';
import { turns } from '../turn.ts';

/** How many CIDs are asked of a replica at a time. */
const SLICE_CIDS = 512;

export type CidSource = Iterable<CID> | AsyncIterable<CID>;

/** The first `count` CIDs in slices; between them the event loop turns as often as it must. */
export async function* slices(
  cids: CidSource,
  count: number = Infinity,
): AsyncGenerator<readonly CID[]> {
  if (count <= 0) return;
  const turn = turns();
  const iterator = Symbol.iterator in cids ? cids[Symbol.iterator]() : cids[Symbol.asyncIterator]();
  let left = count;
  for (let ended = false; !ended;) {
    const slice: CID[] = [];
    while (slice.length < SLICE_CIDS && left > 0) {
      // Without an await per CID where none is needed.
      const next = iterator.next();
      const { done, value } = next instanceof Promise ? await next : next;
      if (done === true) break;
      slice.push(value);
      left--;
    }
    ended = slice.length < SLICE_CIDS;
    if (slice.length > 0) yield slice;
    await turn();
  }
}
