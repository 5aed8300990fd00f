import type { CausalContext } from './context.ts';
import type { Documents } from './documents.ts';
import {
  asEdited,
  holdersOf,
  locator,
  type DocumentState,
  type EditedDocument,
  type Locator,
} from './merge.ts';
import { fieldSpans } from './commit.ts';
import { readWriting } from './page-writing.ts';
import type { PageEntry } from './snapshot.ts';

/**
 * A snapshot is merged as the state that it is: of two states that know which commits they cover, a
 * version survives when both have it, or when one has it and the other has not seen the commit that
 * wrote it ("An Optimized Conflict-free Replicated Set", Bieniusa et al., 2012). That is what applying
 * the commits themselves would give.
 */
export interface LandedPage {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly entries: readonly PageEntry[];
  /** The numbers of the commits that are the page's versions. */
  readonly commits: readonly number[];
}

/**
 * The states that a page brings: of the documents that it changes, each with its id.
 * @param ours what the ledger has merged; @param theirs what the snapshot covers
 */
export async function mergePage(
  documents: Documents,
  page: LandedPage,
  ours: CausalContext,
  theirs: CausalContext,
): Promise<[id: string, state: DocumentState][]> {
  const { table } = documents;
  const seenHere = (version: number): boolean => ours.covers(table.dot(version));
  const seenThere = (version: number): boolean => theirs.covers(table.dot(version));
  const changed: [string, DocumentState][] = [];
  for (const entry of page.entries) {
    const local = documents.stateOf(entry.id);
    if (local === undefined) {
      changed.push([entry.id, stateOf(entry, page)]);
      continue;
    }
    if (typeof local === 'number' && entry.only !== undefined) {
      const here = documents.versionOf(local);
      const there = page.commits[entry.only.version]!;
      if (here === there) continue;
      // One has seen the other's version and superseded it; else both survive.
      if (seenThere(here) && !seenHere(there)) {
        changed.push([entry.id, stateOf(entry, page)]);
        continue;
      }
      if (seenHere(there) && !seenThere(here)) continue;
    }
    const merged = mergeElements(
      await storedElements(local, documents),
      elementsOf(entry, page),
      documents.versionOf,
      seenHere,
      seenThere,
    );
    if (merged === 'ours') continue;
    changed.push([entry.id, merged === 'theirs' ? stateOf(entry, page) : merged]);
  }
  return changed;
}

/** Heads and fields of both; `ours` or `theirs` where that is the outcome as it stands. */
function mergeElements(
  ours: EditedDocument,
  theirs: EditedDocument,
  versionOf: (place: Locator) => number,
  seenHere: (version: number) => boolean,
  seenThere: (version: number) => boolean,
): EditedDocument | 'ours' | 'theirs' {
  let isOurs = true;
  let isTheirs = true;
  const survivors = <T>(
    here: readonly T[],
    there: readonly T[],
    place: (of: T) => Locator,
  ): T[] => {
    const inHere = new Set(here.map((item) => versionOf(place(item))));
    const inThere = new Set(there.map((item) => versionOf(place(item))));
    const kept = here.filter((item) => {
      const version = versionOf(place(item));
      return inThere.has(version) || !seenThere(version);
    });
    const added = there.filter((item) => {
      const version = versionOf(place(item));
      return !inHere.has(version) && !seenHere(version);
    });
    if (kept.length < here.length || added.length > 0) isOurs = false;
    const common = kept.filter((item) => inThere.has(versionOf(place(item)))).length;
    if (kept.length > common || common + added.length < there.length) isTheirs = false;
    return [...kept, ...added];
  };
  const heads = survivors(ours.heads, theirs.heads, (head) => head.at);
  const fields = new Map<string, Locator[]>();
  for (const name of new Set([...ours.fields.keys(), ...theirs.fields.keys()])) {
    const here = ours.fields.get(name) ?? [];
    const there = theirs.fields.get(name) ?? [];
    const versions = survivors(here, there, (place) => place);
    if (versions.length > 0) fields.set(name, versions);
  }
  if (isOurs) return 'ours';
  if (isTheirs) return 'theirs';
  return { heads, base: undefined, fields };
}

/** An entry of a page as a state that refers to the page. */
export function stateOf(entry: PageEntry, { number }: LandedPage): DocumentState {
  const { only, heads, writings } = entry;
  if (only !== undefined) return locator(number, only.at);
  // The writing with the most fields stands for all of them: a map entry each would cost more.
  let base = writings[0];
  for (const writing of writings) if (writing.fields.length > base!.fields.length) base = writing;
  const fields = new Map<string, Locator[]>();
  for (const writing of writings) {
    if (writing === base) continue;
    for (const name of writing.fields) {
      const versions = fields.get(name) ?? [];
      if (versions.length === 0 && base!.fields.includes(name)) {
        versions.push(locator(number, base!.at));
      }
      versions.push(locator(number, writing.at));
      fields.set(name, versions);
    }
  }
  return {
    heads: heads.map(({ at, deleted }) => ({ at: locator(number, at), deleted })),
    base: base && locator(number, base.at),
    fields,
  };
}

/** A state with the places of all its fields told one by one. */
async function storedElements(state: DocumentState, documents: Documents): Promise<EditedDocument> {
  const blocks = await documents.blocks.getAll(holdersOf(state));
  const fields = new Map<string, Locator[]>();
  for (const [name, versions] of documents.versionsIn(state, blocks)) {
    const places = versions.map((version) => version.at);
    if (places.length > 0) fields.set(name, places);
  }
  return { heads: asEdited(state).heads, base: undefined, fields };
}

/** An entry with all its fields told one by one. */
function elementsOf(entry: PageEntry, { number, bytes }: LandedPage): EditedDocument {
  const fields = new Map<string, Locator[]>();
  const add = (name: string, place: Locator): void => {
    const versions = fields.get(name);
    if (versions === undefined) fields.set(name, [place]);
    else versions.push(place);
  };
  if (entry.only !== undefined) {
    const place = locator(number, entry.only.at);
    const { setAt } = readWriting(bytes, entry.only.at);
    for (const { name } of fieldSpans(bytes, setAt)) add(name, place);
    return { heads: [{ at: place, deleted: false }], base: undefined, fields };
  }
  for (const { at, fields: names } of entry.writings) {
    for (const name of names) add(name, locator(number, at));
  }
  const heads = entry.heads.map(({ at, deleted }) => ({ at: locator(number, at), deleted }));
  return { heads, base: undefined, fields };
}
