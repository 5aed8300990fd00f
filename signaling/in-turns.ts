import { setImmediate } from 'node:timers/promises';

/** How many items one turn of the event loop looks at. */
const ITEMS_PER_TURN = 500;

/** Does something with each of many; in between, whatever else waits has its turn. */
export async function inTurns<T>(items: Iterable<T>, each: (item: T) => void): Promise<void> {
  let count = 0;
  for (const item of items) {
    each(item);
    if (++count % ITEMS_PER_TURN === 0) await setImmediate();
  }
}
