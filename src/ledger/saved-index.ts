import { decode, encode } from '../dag-cbor.ts';
import { bytesOf, concatBytes, equalBytes, keyOf } from '../bytes.ts';
import { sha256Soon } from '../sha256.ts';
import type { Location, LogPosition } from '../storage/log.ts';
import type { ClockState } from './clock-state.ts';
import { CommitTable } from './commit-table.ts';
import { CausalContext } from './context.ts';
import type { DocumentState, Locator } from './merge.ts';
import { PageTable, type Page } from './pages.ts';

/**
 * What opening a ledger computes from its log, saved so that the next opening need not: the commit
 * table, the heads and the states of the documents, up to a position of the log. It is a cache: when
 * it is missing, damaged, or does not fit the log, the log alone tells everything.
 *
 *   magic (8 bytes) · length of meta (4, little endian) · meta (dag-cbor) · sections · SHA-256 of all
 *
 * Numbers in the sections are little endian, as on every machine that runs JavaScript today; a reader
 * of the other kind finds the magic's last byte wrong and rebuilds.
 */
export interface SavedIndex {
  readonly position: LogPosition;
  /** The segments that it was made from: their sizes by number, the last one up to `position`. */
  readonly segments: ReadonlyMap<number, number>;
  readonly state: Omit<ClockState, 'cache'>;
  readonly documents: ReadonlyMap<string, DocumentState>;
  /** How often documents were written. */
  readonly writings: number;
}

const MAGIC = Uint8Array.of(
  0x65,
  0x6d,
  0x62,
  0x65,
  0x72,
  0x69,
  0x32,
  endianness() === 'little' ? 1 : 2,
);
const HASH_BYTES = 32;

interface Meta {
  position: LogPosition;
  segments: [number, number][];
  heads: number[];
  count: number;
  writings: number;
  parentLists: number[][];
  writers: Uint8Array[];
  context: Uint8Array;
  snapshots: [digest: Uint8Array, place: Place][];
  loose: [digest: Uint8Array, place: Place][];
  /** Digest, place, and how many writings it holds. */
  pages: [digest: Uint8Array, place: Place, writings: number][];
  edited: SavedState[];
  sections: number[];
}

/** segment, offset, length */
type Place = [number, number, number];

/** heads as [place, deleted], base, fields. */
type SavedState = [[Locator, boolean][], Locator | null, { [field: string]: Locator[] }];

export async function encodeIndex(index: SavedIndex): Promise<Uint8Array> {
  const { documents: states, state } = index;
  const table = state.table.dump();
  const pages = state.pages.dump();
  const idLengths = new Uint16Array(states.size);
  const places = new Float64Array(states.size);
  const edited: SavedState[] = [];
  const ids: string[] = [];
  for (const [id, state] of states) {
    idLengths[ids.length] = id.length;
    places[ids.length] = typeof state === 'number' ? state : NaN;
    if (typeof state !== 'number') {
      edited.push([
        state.heads.map(({ at, deleted }) => [at, deleted]),
        state.base ?? null,
        Object.fromEntries(state.fields),
      ]);
    }
    ids.push(id);
  }
  const sections = [
    table.digests,
    table.times,
    table.segments,
    table.offsets,
    table.lengths,
    table.parents,
    table.writers,
    table.sequences,
    ...joined(pages),
    new TextEncoder().encode(ids.join('')),
    idLengths,
    places,
  ].map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  const meta = encode({
    position: { segment: index.position.segment, offset: index.position.offset },
    segments: [...index.segments],
    heads: [...state.heads],
    count: table.count,
    writings: index.writings,
    parentLists: table.parentLists,
    writers: table.writerIds,
    context: state.context.encode(),
    snapshots: state.snapshots.map(({ digest, location }) => [digest, placeOf(location)]),
    loose: [...state.loose].map(([key, location]) => [bytesOf(key), placeOf(location)]),
    pages: pages.map(({ digest, location, offsets }) => [
      digest,
      placeOf(location),
      offsets.length,
    ]),
    edited,
    sections: sections.map((section) => section.length),
  });
  const metaLength = new Uint8Array(new Uint32Array([meta.length]).buffer);
  const bytes = concatBytes([MAGIC, metaLength, meta, ...sections, new Uint8Array(HASH_BYTES)]);
  bytes.set(await sha256Soon(bytes.subarray(0, -HASH_BYTES)), bytes.length - HASH_BYTES);
  return bytes;
}

/** Undefined when the bytes are not a whole index of this version. */
export async function decodeIndex(
  bytes: Uint8Array,
): Promise<(SavedIndex & { documents: Map<string, DocumentState> }) | undefined> {
  if (bytes.length < MAGIC.length + 4 + HASH_BYTES) return undefined;
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const body = bytes.subarray(0, -HASH_BYTES);
  if (!equalBytes(await sha256Soon(body), bytes.subarray(-HASH_BYTES))) return undefined;
  const metaAt = MAGIC.length + 4;
  const metaLength = new Uint32Array(bytes.slice(MAGIC.length, metaAt).buffer)[0]!;
  const meta = decode<Meta>(bytes.subarray(metaAt, metaAt + metaLength));
  let at = metaAt + metaLength;
  const [
    digests,
    times,
    segments,
    offsets,
    lengths,
    parents,
    writers,
    sequences,
    pageOffsets,
    pageCommits,
    ids,
    idLengths,
    places,
  ] = meta.sections.map((length) => bytes.slice(at, (at += length)).buffer);
  const table = CommitTable.restore({
    count: meta.count,
    digests: new Uint8Array(digests!),
    times: new Float64Array(times!),
    segments: new Uint32Array(segments!),
    offsets: new Uint32Array(offsets!),
    lengths: new Uint32Array(lengths!),
    parents: new Int32Array(parents!),
    parentLists: meta.parentLists,
    writers: new Uint32Array(writers!),
    sequences: new Uint32Array(sequences!),
    writerIds: meta.writers,
  });
  let writing = 0;
  const pages = PageTable.restore(
    meta.pages.map(([digest, place, writings]) => {
      const [start, end] = [writing, (writing += writings)];
      return {
        digest,
        location: locationOf(place),
        offsets: new Uint32Array(pageOffsets!).subarray(start, end),
        commits: new Uint32Array(pageCommits!).subarray(start, end),
      };
    }),
  );
  return {
    position: meta.position,
    writings: meta.writings,
    segments: new Map(meta.segments),
    state: {
      table,
      pages,
      heads: new Set(meta.heads),
      context: CausalContext.decode(meta.context),
      snapshots: meta.snapshots.map(([digest, place]) => ({ digest, location: locationOf(place) })),
      loose: new Map(meta.loose.map(([digest, place]) => [keyOf(digest), locationOf(place)])),
    },
    documents: restoreStates(
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(ids!),
      new Uint16Array(idLengths!),
      new Float64Array(places!),
      meta.edited,
    ),
  };
}

/** The writings of all pages, one page after the other. */
function joined(pages: readonly Page[]): [offsets: Uint32Array, commits: Uint32Array] {
  let count = 0;
  for (const { offsets } of pages) count += offsets.length;
  const [offsets, commits] = [new Uint32Array(count), new Uint32Array(count)];
  let at = 0;
  for (const page of pages) {
    offsets.set(page.offsets, at);
    commits.set(page.commits, at);
    at += page.offsets.length;
  }
  return [offsets, commits];
}

function placeOf({ segment, offset, length }: Location): Place {
  return [segment, offset, length];
}

function locationOf([segment, offset, length]: Place): Location {
  return { segment, offset, length };
}

function restoreStates(
  ids: string,
  idLengths: Uint16Array,
  places: Float64Array,
  edited: readonly SavedState[],
): Map<string, DocumentState> {
  const states = new Map<string, DocumentState>();
  let idAt = 0;
  let nextEdited = 0;
  for (let i = 0; i < places.length; i++) {
    const id = ids.slice(idAt, (idAt += idLengths[i]!));
    const place = places[i]!;
    states.set(id, Number.isNaN(place) ? restoreState(edited[nextEdited++]!) : place);
  }
  return states;
}

function restoreState([heads, base, fields]: SavedState): DocumentState {
  return {
    heads: heads.map(([at, deleted]) => ({ at, deleted })),
    base: base ?? undefined,
    fields: new Map(Object.entries(fields)),
  };
}

function endianness(): 'little' | 'big' {
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 'little' : 'big';
}
