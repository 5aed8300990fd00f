import type { CID } from 'multiformats/cid';
import { bytesOf } from '../bytes.ts';
import { KEY_BYTES } from '../sketch.ts';
import { keyOf } from './diff/list.ts';

/** How many blocks are remembered; one that is forgotten only keeps its children in the queue. */
const REMEMBERED_BLOCKS = 4096;

/**
 * The last blocks that somebody is known to hold: the other side, or this one. Which are forgotten costs
 * nothing but time or bytes.
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

  /** @param key as `keyText` gives it */
  addKey(key: string): void {
    this.#settle();
    this.#remember(key);
  }

  has(cid: CID): boolean {
    return this.hasKey(keyText(cid));
  }

  hasKey(key: string): boolean {
    this.#settle();
    return this.#keys.has(key);
  }

  #settle(): void {
    if (this.#addedBlocks === 0) return;
    for (const cids of this.#added) for (const each of cids) this.#remember(keyText(each));
    this.#added = [];
    this.#addedBlocks = 0;
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

/** A block's key as a string of as many characters. */
export function keyText(cid: CID): string {
  return textOf(keyOf(cid), 0);
}

/** The keys that lie one after the other in a message. */
export function keyTexts(keys: Uint8Array): string[] {
  const texts: string[] = [];
  for (let at = 0; at < keys.length; at += KEY_BYTES) {
    texts.push(textOf(keys, at));
  }
  return texts;
}

function textOf(keys: Uint8Array, at: number): string {
  let text = '';
  for (let i = at; i < at + KEY_BYTES; i++) text += String.fromCharCode(keys[i]!);
  return text;
}

export function keyBytes(texts: readonly string[]): Uint8Array {
  return bytesOf(texts.join(''));
}
