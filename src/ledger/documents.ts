import type { MaybePromise } from '../blocks.ts';
import type { BlockCache } from './block-cache.ts';
import type { CommitTable } from './commit-table.ts';
import { fieldSpans, namesIn, readOperation, type Commit, type Operation } from './commit.ts';
import { decodeFields, decodeValue, type Document, type DocumentValue } from './document.ts';
import {
  applyOperation,
  asEdited,
  copyOf,
  holderOf,
  holdersOf,
  isDeleted,
  locator,
  offsetOf,
  versionsOf,
  type DocumentState,
  type Locator,
} from './merge.ts';
import { readWriting } from './page-writing.ts';
import { isPage, type PageTable } from './pages.ts';
import { SortedList } from './sorted-list.ts';

/**
 * The documents that a set of commits adds up to: per document the places of its surviving writings
 * (merge.ts), read and decoded when somebody asks.
 */
export class Documents {
  readonly table: CommitTable;
  readonly pages: PageTable;
  readonly blocks: BlockCache;
  #writings: number;
  readonly #states: Map<string, DocumentState>;
  /** All ids in order, from the first time that somebody lists them. */
  #sortedIds: SortedList<string> | undefined;
  /** Field names recur: each is kept once. */
  readonly #fieldNames = new Map<string, string>();

  constructor(
    table: CommitTable,
    pages: PageTable,
    blocks: BlockCache,
    states: Map<string, DocumentState> = new Map(),
    writings: number = states.size,
  ) {
    this.#writings = writings;
    this.table = table;
    this.pages = pages;
    this.blocks = blocks;
    this.#states = states;
  }

  get states(): ReadonlyMap<string, DocumentState> {
    return this.#states;
  }

  /** How many operations and documents of snapshots were merged. */
  get writings(): number {
    return this.#writings;
  }

  /** Merges a commit that was numbered `number` in the table; its bytes are those it was read from. */
  apply(number: number, commit: Commit, bytes: Uint8Array): void {
    this.#writings += commit.operations.length;
    for (const operation of commit.operations) {
      const { id, deleted } = operation;
      const at = locator(number, operation.at);
      const state = this.#states.get(id);
      if (state === undefined) this.#sortedIds?.add(id);
      if (state === undefined && !deleted) {
        // The usual case: nothing to merge, nothing to allocate.
        this.#states.set(id, at);
        continue;
      }
      const next = applyOperation(state, at, deleted, {
        replaces: () => this.#numbersOf(operation.replaces),
        fields: () => this.#fieldsOf(bytes, operation),
        versionOf: this.versionOf,
      });
      if (next !== state) this.#states.set(id, next);
    }
  }

  /** Takes states as they are, in place of those of the same documents. */
  setStates(states: readonly (readonly [id: string, state: DocumentState])[]): void {
    this.#writings += states.length;
    for (const [id, state] of states) {
      if (!this.#states.has(id)) this.#sortedIds?.add(id);
      this.#states.set(id, state);
    }
  }

  /** The documents as they are now, whatever comes. */
  frozen(): Documents {
    const states = new Map<string, DocumentState>();
    for (const [id, state] of this.#states) states.set(id, copyOf(state));
    return new Documents(this.table, this.pages, this.blocks, states);
  }

  /** How many places of writings the states name, about. */
  get placeCount(): number {
    let count = this.#states.size;
    for (const state of this.#states.values()) {
      if (typeof state !== 'number') count += state.fields.size;
    }
    return count;
  }

  /** True when documents were written more often than `times` on average. */
  hasOutgrown(times: number): boolean {
    return this.#writings > this.#states.size * times;
  }

  /** The number of the commit that wrote what stands at a place. */
  readonly versionOf = (place: Locator): number => this.pages.versionOf(place);

  /** The document as its winning versions tell it; undefined when there is none or it is deleted. */
  get(id: string): MaybePromise<Document | undefined> {
    const state = this.#states.get(id);
    if (state === undefined || isDeleted(state)) return undefined;
    const blocks = this.blocks.getAll(holdersOf(state));
    if (!(blocks instanceof Promise)) return this.#read(id, state, blocks);
    const asked = copyOf(state);
    return blocks.then((loaded) => this.#read(id, asked, loaded));
  }

  /** Several documents in the order of `ids`, read in the order in which they lie in the log. */
  async getAll(ids: readonly string[]): Promise<(Document | undefined)[]> {
    const documents: (Document | undefined)[] = Array.from({ length: ids.length });
    for (const index of this.inPlaceOrder(ids)) {
      const document = this.get(ids[index]!);
      documents[index] = document instanceof Promise ? await document : document;
    }
    return documents;
  }

  /** The ids of all documents that were ever written. */
  allIds(): string[] {
    return [...this.states.keys()];
  }

  /** Ids of documents that are not deleted, in order of UTF-16 code units. */
  *ids(
    below: (id: string) => boolean,
    above: (id: string) => boolean,
    descending: boolean,
  ): Generator<string> {
    this.#sortedIds ??= new SortedList((a, b) => (a < b ? -1 : a > b ? 1 : 0), this.#states.keys());
    for (const id of this.#sortedIds.range(below, above, descending)) {
      if (!isDeleted(this.#states.get(id)!)) yield id;
    }
  }

  /** How many documents there are, deleted ones left out. */
  count(): number {
    let count = 0;
    for (const state of this.#states.values()) if (!isDeleted(state)) count++;
    return count;
  }

  stateOf(id: string): DocumentState | undefined {
    return this.#states.get(id);
  }

  /**
   * The surviving versions of fields, the winner of each first; deleted documents have them too.
   * @param names the fields to look at; all of them without
   */
  async fieldVersions(id: string, names?: Iterable<string>): Promise<Map<string, FieldVersion[]>> {
    const state = this.#states.get(id);
    if (state === undefined) return new Map();
    const blocks = this.blocks.getAll(holdersOf(state, names));
    if (!(blocks instanceof Promise)) return this.versionsIn(state, blocks, names);
    const asked = copyOf(state);
    return this.versionsIn(asked, await blocks, names);
  }

  /** A document has no more bytes than this; found without reading any. */
  boundOf(state: DocumentState): number {
    let bytes = 0;
    for (const holder of holdersOf(state)) {
      bytes += isPage(holder) ? this.pages.location(holder).length : this.table.size(holder);
    }
    return bytes;
  }

  // --- reading ---

  #read(
    id: string,
    state: DocumentState,
    blocks: ReadonlyMap<number, Uint8Array>,
  ): Document | undefined {
    if (typeof state === 'number') {
      const bytes = blocks.get(holderOf(state))!;
      const { setAt, setEnd } = writingAt(state, bytes);
      return { _id: id, ...decodeFields(bytes.subarray(setAt, setEnd)) };
    }
    const document: Record<string, DocumentValue> = { _id: id };
    for (const [name, versions] of this.versionsIn(state, blocks)) {
      const value = versions[0]?.value;
      if (value !== undefined) document[name] = decodeValue(value);
    }
    return document as Document;
  }

  /** The surviving versions of fields as `fieldVersions`, out of the blocks of `holdersOf`. */
  versionsIn(
    state: DocumentState,
    blocks: ReadonlyMap<number, Uint8Array>,
    only?: Iterable<string>,
  ): Map<string, FieldVersion[]> {
    const edited = asEdited(state);
    const writings = new Map<Locator, Map<string, Uint8Array | undefined>>();
    const writingOf = (at: Locator): Map<string, Uint8Array | undefined> => {
      let writing = writings.get(at);
      if (writing === undefined) {
        writing = fieldsWritten(at, blocks.get(holderOf(at))!);
        writings.set(at, writing);
      }
      return writing;
    };
    const names = new Set(only ?? edited.fields.keys());
    if (only === undefined && edited.base !== undefined)
      for (const name of writingOf(edited.base).keys()) names.add(name);
    const versions = new Map<string, FieldVersion[]>();
    for (const name of [...names].sort()) {
      const surviving = versionsOf(edited, name)
        .filter((at) => writingOf(at).has(name))
        .map((at) => ({ at, commit: this.versionOf(at), value: writingOf(at).get(name) }));
      surviving.sort((a, b) => this.compareVersions(b.commit, a.commit));
      versions.set(name, surviving);
    }
    return versions;
  }

  /** Positive when commit `a` wins over the concurrent commit `b`. */
  compareVersions(a: number, b: number): number {
    return this.table.time(a) - this.table.time(b) || this.table.compareDigests(a, b);
  }

  /** The indexes of ids in the order in which their documents lie in the log. */
  inPlaceOrder(ids: readonly string[]): Uint32Array {
    const places = Float64Array.from(ids, (id) => this.#firstPlace(id));
    return Uint32Array.from(ids, (_, index) => index).sort((a, b) => places[a]! - places[b]!);
  }

  #firstPlace(id: string): Locator {
    const state = this.#states.get(id);
    if (typeof state === 'number') return state;
    return state?.base ?? 0;
  }

  #numbersOf(replaces: Uint8Array): number[] {
    return namesIn(replaces).map((name) => this.table.find(name));
  }

  #fieldsOf(bytes: Uint8Array, operation: Operation): string[] {
    const names = fieldSpans(bytes, operation.setAt).map((span) => span.name);
    names.push(...operation.unset);
    return names.map((name) => {
      const known = this.#fieldNames.get(name);
      if (known !== undefined) return known;
      this.#fieldNames.set(name, name);
      return name;
    });
  }
}

/** One surviving version of a field: who wrote it, and its dag-cbor; undefined where it was removed. */
export interface FieldVersion {
  readonly at: Locator;
  readonly commit: number;
  readonly value: Uint8Array | undefined;
}

/** Where the fields lie that are written at a place, which is in `holder`. */
export function writingAt(
  place: Locator,
  holder: Uint8Array,
): { setAt: number; setEnd: number; unset: readonly string[] } {
  const read = isPage(holderOf(place)) ? readWriting : readOperation;
  return read(holder, offsetOf(place));
}

/** What is written at a place, which is in `holder`: each field's bytes, undefined for those removed. */
export function fieldsWritten(
  place: Locator,
  holder: Uint8Array,
): Map<string, Uint8Array | undefined> {
  const { setAt, setEnd, unset } = writingAt(place, holder);
  const written = new Map<string, Uint8Array | undefined>();
  // A delete writes nothing.
  if (setEnd === 0) return written;
  for (const { name, valueAt, end } of fieldSpans(holder, setAt)) {
    written.set(name, holder.subarray(valueAt, end));
  }
  for (const name of unset) written.set(name, undefined);
  return written;
}
