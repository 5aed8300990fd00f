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
  /** Added since `has` was asked last: bulk is mostly forgotten again before anybody asks. */
  #added: (readonly CID[])[] = [];
  #addedBlocks = 0;

  add(cids: readonly CID[]): void {
    this.#added.push(cids);
    this.#addedBlocks += cids.length;
    while (this.#addedBlocks - this.#added[0]!.length >= REMEMBERED_BLOCKS) {
      this.#addedBlocks -= this.#added.shift()!.length;
    }
  }

  has(cid: CID): boolean {
    for (const cids of this.#added) for (const each of cids) this.#remember(textOf(each));
    this.#added = [];
    this.#addedBlocks = 0;
    return this.#keys.has(textOf(cid));
  }

  #remember(key: string): void {
    this.#keys.delete(key);
    this.#keys.add(key);
    if (this.#keys.size <= REMEMBERED_BLOCKS) return;
    for (const oldest of this.#keys) {
      this.#keys.delete(oldest);
      return;
    }
  }
}

function textOf(cid: CID): string {
  return String.fromCharCode(...keyOf(cid).subarray(0, KEY_BYTES));
}
