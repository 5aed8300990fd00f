/**
 * Concurrent operations -> one state per document. Pure, and free of values: a state says where the
 * surviving writings are, and only a reader fetches them.
 *
 * Each field is a multi-value register, and so is the document itself (its heads: the newest
 * operations on it that none has superseded). An operation removes the versions that it names and adds
 * itself. A commit is applied after everything it names, so:
 *
 * 1. The state is "all versions that no operation names", whatever the order of arrival.
 * 2. The document is there unless all its heads are deletes: an edit beats a concurrent delete, and as
 *    a delete leaves the fields in place, the document is then whole again.
 * 3. Of several versions of a field the one of the later time wins, ties broken by the digest; the
 *    others stay until an operation names them.
 */

/**
 * Where a writing is: the number of the block that holds it, a commit or a page of a snapshot, and its
 * first byte in that block, as one integer. A block has at most 2^21 bytes (MAX_BLOCK_BYTES), so 2^31
 * of them fit in a double.
 */
export type Locator = number;

const OFFSETS = 2 ** 21;

export function locator(holder: number, at: number): Locator {
  return holder * OFFSETS + at;
}

export function holderOf(place: Locator): number {
  return Math.floor(place / OFFSETS);
}

export function offsetOf(place: Locator): number {
  return place % OFFSETS;
}

/** A document written once is the locator of that operation, the usual case and the cheapest. */
export type DocumentState = Locator | EditedDocument;

export interface EditedDocument {
  /** The operations on the document that none has superseded. */
  heads: Head[];
  /** The operation whose fields hold where `fields` says nothing; undefined if there is none. */
  base: Locator | undefined;
  /**
   * The surviving versions of fields written since. A locator that does not write the field stands for
   * nothing: the base is listed before it is known whether it had the field.
   */
  readonly fields: Map<string, Locator[]>;
}

export interface Head {
  readonly at: Locator;
  readonly deleted: boolean;
}

/** What an operation says of what it replaces; asked for only when the document is known already. */
export interface MergeDetails {
  /** The numbers of the commits that it names. */
  readonly replaces: () => readonly number[];
  /** The fields that it sets or unsets. */
  readonly fields: () => readonly string[];
  /** The number of the commit that wrote what stands at a place. */
  readonly versionOf: (place: Locator) => number;
}

/** The state with an operation; the state given belongs to this call and must not be used again. */
export function applyOperation(
  state: DocumentState | undefined,
  at: Locator,
  deleted: boolean,
  details: MergeDetails,
): DocumentState {
  if (state === undefined) {
    if (!deleted) return at;
    return { heads: [{ at, deleted }], base: undefined, fields: new Map() };
  }
  const replaces = details.replaces();
  const edited = asEdited(state);
  const survives = (version: Locator): boolean => !replaces.includes(details.versionOf(version));
  edited.heads = edited.heads.filter((head) => survives(head.at));
  edited.heads.push({ at, deleted });
  if (deleted) return edited;
  if (edited.base === undefined && edited.fields.size === 0) {
    edited.base = at;
    return edited;
  }
  for (const name of details.fields()) {
    const versions = versionsOf(edited, name).filter(survives);
    versions.push(at);
    edited.fields.set(name, versions);
  }
  return edited;
}

/** The surviving versions of a field, among them perhaps a base that does not write it. */
export function versionsOf(state: EditedDocument, field: string): readonly Locator[] {
  return state.fields.get(field) ?? (state.base === undefined ? [] : [state.base]);
}

/** A state that stays as it is when more operations come. */
export function copyOf(state: DocumentState): DocumentState {
  return typeof state === 'number' ? state : { ...state, fields: new Map(state.fields) };
}

export function asEdited(state: DocumentState): EditedDocument {
  if (typeof state !== 'number') return state;
  return { heads: [{ at: state, deleted: false }], base: state, fields: new Map() };
}

/** True when readers find no document. */
export function isDeleted(state: DocumentState): boolean {
  return typeof state !== 'number' && state.heads.every((head) => head.deleted);
}

/** The blocks whose bytes tell the values of a state, or of some of its fields. */
export function holdersOf(state: DocumentState, fields?: Iterable<string>): Set<number> {
  if (typeof state === 'number') return new Set([holderOf(state)]);
  const holders = new Set<number>();
  if (fields !== undefined) {
    for (const field of fields) {
      for (const version of versionsOf(state, field)) holders.add(holderOf(version));
    }
    return holders;
  }
  if (state.base !== undefined) holders.add(holderOf(state.base));
  for (const versions of state.fields.values()) {
    for (const version of versions) holders.add(holderOf(version));
  }
  return holders;
}
