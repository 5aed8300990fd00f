import type { CID } from 'multiformats/cid';
import { cidOfDigest } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import type { Location } from '../storage/log.ts';
import { holderOf, offsetOf, type Locator } from './merge.ts';

/** Pages are numbered from here on, commits below it. */
export const FIRST_PAGE: number = 2 ** 30;

export function isPage(holder: number): boolean {
  return holder >= FIRST_PAGE;
}

/**
 * The pages of the merged snapshots: where they lie, and which commit wrote what in them. What stands in
 * a commit is that commit's version; in a page it is that of the commit which the page says.
 */
export class PageTable {
  readonly #pages: Page[] = [];
  readonly #numbers = new Map<string, number>();

  get count(): number {
    return this.#pages.length;
  }

  has(digest: Uint8Array): boolean {
    return this.#numbers.has(keyOf(digest));
  }

  /** @returns the page's number */
  add(page: Page): number {
    const holder = FIRST_PAGE + this.#pages.length;
    this.#pages.push(page);
    this.#numbers.set(keyOf(page.digest), holder);
    return holder;
  }

  /** Forgets the pages from the `count`th on. */
  truncate(count: number): void {
    for (const { digest } of this.#pages.splice(count)) this.#numbers.delete(keyOf(digest));
  }

  /** The page's number, undefined when there is none. */
  find(digest: Uint8Array): number | undefined {
    return this.#numbers.get(keyOf(digest));
  }

  location(holder: number): Location {
    return this.#page(holder).location;
  }

  cid(holder: number): CID {
    return cidOfDigest(this.#page(holder).digest);
  }

  /** The number of the commit whose version stands at this place. */
  versionOf(place: Locator): number {
    const holder = holderOf(place);
    if (!isPage(holder)) return holder;
    const { offsets, commits } = this.#page(holder);
    const offset = offsetOf(place);
    let low = 0;
    let high = offsets.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return commits[low]!;
  }

  /** For the saved index. */
  dump(): readonly Page[] {
    return this.#pages;
  }

  static restore(pages: readonly Page[]): PageTable {
    const table = new PageTable();
    for (const page of pages) table.add(page);
    return table;
  }

  #page(holder: number): Page {
    return this.#pages[holder - FIRST_PAGE]!;
  }
}

export interface Page {
  readonly digest: Uint8Array;
  readonly location: Location;
  /** The first bytes of what is placed in the page, ascending. */
  readonly offsets: Uint32Array;
  /** The numbers of the commits that these belong to. */
  readonly commits: Uint32Array;
}
