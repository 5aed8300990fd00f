import type { CID } from 'multiformats/cid';
import { KEY_BYTES } from '../sketch.ts';
import { keyOf } from './diff/list.ts';

/** How many blocks are remembered; one that is forgotten only keeps its children in the queue. */
const REMEMBERED_BLOCKS = 4096;

/**
 * The last blocks that the other side is known to hold, or to get before what is sent next: its heads,
 * what it sent, and what it was sent live.
 */
export class HeldBlocks {
  readonly #keys = new Set<string>();

  add(cids: Iterable<CID>): void {
    for (const cid of cids) {
      const key = textOf(cid);
      this.#keys.delete(key);
      this.#keys.add(key);
    }
    for (const oldest of this.#keys) {
      if (this.#keys.size <= REMEMBERED_BLOCKS) break;
      this.#keys.delete(oldest);
    }
  }

  has(cid: CID): boolean {
    return this.#keys.has(textOf(cid));
  }
}

function textOf(cid: CID): string {
  return String.fromCharCode(...keyOf(cid).subarray(0, KEY_BYTES));
}
