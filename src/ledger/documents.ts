import { compareBytes, DIGEST_BYTES, type MaybePromise } from '../blocks.ts';
import { sha256 } from '../sha256.ts';
import type { BlockCache } from './block-cache.ts';
import { CborWriter, MAJOR_LIST, MAJOR_MAP } from './cbor.ts';
import type { CommitTable } from './commit-table.ts';
import { fieldSpans, namesIn, readOperation, type Commit, type Operation } from './commit.ts';
import { decodeFields, decodeValue, type Document, type DocumentValue } from './document.ts';
import {
  applyOperation,
  asEdited,
  copyOf,
  commitOf,
  commitsOf,
  isDeleted,
  locator,
  offsetOf,
  versionsOf,
  type DocumentState,
  type Locator,
} from './merge.ts';
import { SortedList } from './sorted-list.ts';

/**
 * The documents that a set of commits adds up to: per document the places of its surviving writings
 * (merge.ts), read and decoded when somebody asks.
 */
export class Documents {
  readonly table: CommitTable;
  readonly blocks: BlockCache;
  readonly #states: Map<string, DocumentState>;
  /** All ids in order, from the first time that somebody lists them. */
  #sortedIds: SortedList<string> | undefined;
  /** Field names recur: each is kept once. */
  readonly #fieldNames = new Map<string, string>();

  constructor(
    table: CommitTable,
    blocks: BlockCache,
    states: Map<string, DocumentState> = new Map(),
  ) {
    this.table = table;
    this.blocks = blocks;
    this.#states = states;
  }

  get states(): ReadonlyMap<string, DocumentState> {
    return this.#states;
  }

  /** Merges a commit that was numbered `number` in the table; its bytes are those it was read from. */
  apply(number: number, commit: Commit, bytes: Uint8Array): void {
    for (const operation of commit.operations) {
      const { id, deleted } = operation;
      const at = locator(number, operation.at);
      const state = this.#states.get(id);
      if (state === undefined) this.#sortedIds?.add(id);
      const next = applyOperation(state, at, deleted, {
        replaces: () => this.#numbersOf(operation.replaces),
        fields: () => this.#fieldsOf(bytes, operation),
      });
      if (next !== state) this.#states.set(id, next);
    }
  }

  /** The document as its winning versions tell it; undefined when there is none or it is deleted. */
  get(id: string): MaybePromise<Document | undefined> {
    const state = this.#states.get(id);
    if (state === undefined || isDeleted(state)) return undefined;
    const blocks = this.blocks.getAll(commitsOf(state));
    if (!(blocks instanceof Promise)) return this.#read(id, state, blocks);
    const asked = copyOf(state);
    return blocks.then((loaded) => this.#read(id, asked, loaded));
  }

  /** Several documents in the order of `ids`, read in the order in which they lie in the log. */
  async getAll(ids: readonly string[]): Promise<(Document | undefined)[]> {
    const documents: (Document | undefined)[] = Array.from({ length: ids.length });
    for (const index of this.#inPlaceOrder(ids)) {
      const document = this.get(ids[index]!);
      documents[index] = document instanceof Promise ? await document : document;
    }
    return documents;
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

  /** The surviving versions of all fields, the winner of each first; deleted documents have them too. */
  async fieldVersions(id: string): Promise<Map<string, FieldVersion[]>> {
    const state = this.#states.get(id);
    if (state === undefined) return new Map();
    const blocks = this.blocks.getAll(commitsOf(state));
    if (!(blocks instanceof Promise)) return this.#allVersions(state, blocks);
    const asked = copyOf(state);
    return this.#allVersions(asked, await blocks);
  }

  /**
   * SHA-256 of the canonical form of all states: two sets of equal commits give equal digests,
   * whatever the order in which they came.
   */
  async digest(): Promise<Uint8Array> {
    const ids = [...this.#states.keys()].sort();
    const hashes = new Uint8Array(ids.length * DIGEST_BYTES);
    for (const index of this.#inPlaceOrder(ids)) {
      hashes.set(await this.#digestOf(ids[index]!), index * DIGEST_BYTES);
    }
    return sha256(hashes);
  }

  // --- reading ---

  #read(
    id: string,
    state: DocumentState,
    blocks: ReadonlyMap<number, Uint8Array>,
  ): Document | undefined {
    if (typeof state === 'number') {
      const bytes = blocks.get(commitOf(state))!;
      const { setAt, setEnd } = readOperation(bytes, offsetOf(state));
      return { _id: id, ...decodeFields(bytes.subarray(setAt, setEnd)) };
    }
    const document: Record<string, DocumentValue> = { _id: id };
    for (const [name, versions] of this.#allVersions(state, blocks)) {
      const value = versions[0]?.value;
      if (value !== undefined) document[name] = decodeValue(value);
    }
    return document as Document;
  }

  #allVersions(
    state: DocumentState,
    blocks: ReadonlyMap<number, Uint8Array>,
  ): Map<string, FieldVersion[]> {
    const edited = asEdited(state);
    const writings = new Map<Locator, Map<string, Uint8Array | undefined>>();
    const writingOf = (at: Locator): Map<string, Uint8Array | undefined> => {
      let writing = writings.get(at);
      if (writing === undefined) {
        writing = fieldsWritten(blocks.get(commitOf(at))!, offsetOf(at));
        writings.set(at, writing);
      }
      return writing;
    };
    const names = new Set(edited.fields.keys());
    if (edited.base !== undefined)
      for (const name of writingOf(edited.base).keys()) names.add(name);
    const versions = new Map<string, FieldVersion[]>();
    for (const name of [...names].sort()) {
      const surviving = versionsOf(edited, name)
        .filter((at) => writingOf(at).has(name))
        .map((at) => ({ commit: commitOf(at), value: writingOf(at).get(name) }));
      surviving.sort((a, b) => this.compareVersions(b.commit, a.commit));
      versions.set(name, surviving);
    }
    return versions;
  }

  /** Positive when commit `a` wins over the concurrent commit `b`. */
  compareVersions(a: number, b: number): number {
    return this.table.time(a) - this.table.time(b) || this.table.compareDigests(a, b);
  }

  /** SHA-256 of a state's canonical bytes. A document written once needs no more than that operation. */
  async #digestOf(id: string): Promise<Uint8Array> {
    const state = this.#states.get(id)!;
    if (typeof state === 'number') {
      const loaded = this.blocks.get(commitOf(state));
      const bytes = loaded instanceof Promise ? await loaded : loaded;
      const { setAt, setEnd } = readOperation(bytes, offsetOf(state));
      const name = this.table.name(commitOf(state));
      const set = bytes.subarray(setAt, setEnd);
      return sha256(canonical.text(id).raw(name).raw(set).finishView());
    }
    const fields = await this.fieldVersions(id);
    const heads = state.heads
      .map(({ at, deleted }) => ({ name: this.table.name(commitOf(at)), deleted }))
      .sort((a, b) => compareBytes(a.name, b.name));
    canonical.text(id).head(MAJOR_LIST, heads.length);
    for (const { name, deleted } of heads) canonical.raw(name).raw(deleted ? TRUE : FALSE);
    canonical.head(MAJOR_MAP, fields.size);
    for (const [field, versions] of fields) {
      canonical.text(field).head(MAJOR_LIST, versions.length);
      for (const { commit, value } of versions) {
        canonical.raw(this.table.name(commit)).bytes(value ?? NOTHING);
      }
    }
    return sha256(canonical.finishView());
  }

  /** The indexes of ids in the order in which their documents lie in the log. */
  #inPlaceOrder(ids: readonly string[]): Uint32Array {
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
  readonly commit: number;
  readonly value: Uint8Array | undefined;
}

const NOTHING = new Uint8Array(0);
const FALSE = Uint8Array.of(0);
const TRUE = Uint8Array.of(1);

/** Left empty by every use. */
const canonical = new CborWriter();

/** What an operation writes: each field's bytes, undefined for those it removes. */
export function fieldsWritten(commit: Uint8Array, at: number): Map<string, Uint8Array | undefined> {
  const operation = readOperation(commit, at);
  const written = new Map<string, Uint8Array | undefined>();
  if (operation.deleted) return written;
  for (const { name, valueAt, end } of fieldSpans(commit, operation.setAt)) {
    written.set(name, commit.subarray(valueAt, end));
  }
  for (const name of operation.unset) written.set(name, undefined);
  return written;
}
