import type { CID } from 'multiformats/cid';

/** Long work lets timers, frames and writes in this often. */
const TURN_MS = 8;

/** How many CIDs are asked of a replica at a time. */
const SLICE_CIDS = 512;

export type CidSource = Iterable<CID> | AsyncIterable<CID>;

/** Resolves when the event loop has turned. Browsers delay timers by 4 ms, but not messages. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** For loops that work long: gives a promise to await where others have waited for TURN_MS. */
export function turns(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < TURN_MS) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
    });
  };
}

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
