import { decode, encode } from '@ipld/dag-cbor';
import { concatBytes, equalBytes } from '../blocks.ts';
import { sha256 } from '../sha256.ts';
import type { LogPosition } from '../storage/log.ts';
import { CommitTable } from './commit-table.ts';
import type { DocumentState, Locator } from './merge.ts';

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
  readonly table: CommitTable;
  readonly heads: Iterable<number>;
  readonly states: ReadonlyMap<string, DocumentState>;
}

const MAGIC = Uint8Array.of(
  0x65,
  0x6d,
  0x62,
  0x65,
  0x72,
  0x69,
  0x78,
  endianness() === 'little' ? 1 : 2,
);
const HASH_BYTES = 32;

interface Meta {
  position: LogPosition;
  segments: [number, number][];
  heads: number[];
  count: number;
  parentLists: number[][];
  edited: SavedState[];
  sections: number[];
}

/** heads as [place, deleted], base, fields. */
type SavedState = [[Locator, boolean][], Locator | null, { [field: string]: Locator[] }];

export function encodeIndex(index: SavedIndex): Uint8Array {
  const { states } = index;
  const table = index.table.dump();
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
    new TextEncoder().encode(ids.join('')),
    idLengths,
    places,
  ].map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  const meta = encode<Meta>({
    position: { segment: index.position.segment, offset: index.position.offset },
    segments: [...index.segments],
    heads: [...index.heads],
    count: table.count,
    parentLists: table.parentLists,
    edited,
    sections: sections.map((section) => section.length),
  });
  const metaLength = new Uint8Array(new Uint32Array([meta.length]).buffer);
  const bytes = concatBytes([MAGIC, metaLength, meta, ...sections, new Uint8Array(HASH_BYTES)]);
  bytes.set(sha256(bytes.subarray(0, -HASH_BYTES)), bytes.length - HASH_BYTES);
  return bytes;
}

/** Undefined when the bytes are not a whole index of this version. */
export function decodeIndex(
  bytes: Uint8Array,
): (SavedIndex & { states: Map<string, DocumentState> }) | undefined {
  if (bytes.length < MAGIC.length + 4 + HASH_BYTES) return undefined;
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const body = bytes.subarray(0, -HASH_BYTES);
  if (!equalBytes(sha256(body), bytes.subarray(-HASH_BYTES))) return undefined;
  const metaAt = MAGIC.length + 4;
  const metaLength = new Uint32Array(bytes.slice(MAGIC.length, metaAt).buffer)[0]!;
  const meta = decode<Meta>(bytes.subarray(metaAt, metaAt + metaLength));
  let at = metaAt + metaLength;
  const [digests, times, segments, offsets, lengths, parents, ids, idLengths, places] =
    meta.sections.map((length) => bytes.slice(at, (at += length)).buffer);
  const table = CommitTable.restore({
    count: meta.count,
    digests: new Uint8Array(digests!),
    times: new Float64Array(times!),
    segments: new Uint32Array(segments!),
    offsets: new Uint32Array(offsets!),
    lengths: new Uint32Array(lengths!),
    parents: new Int32Array(parents!),
    parentLists: meta.parentLists,
  });
  return {
    position: meta.position,
    segments: new Map(meta.segments),
    table,
    heads: meta.heads,
    states: restoreStates(
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(ids!),
      new Uint16Array(idLengths!),
      new Float64Array(places!),
      meta.edited,
    ),
  };
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
