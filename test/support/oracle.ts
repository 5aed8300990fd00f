import { decode, encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import type { Block } from '../../src/blocks.ts';
import { compareBytes } from '../../src/bytes.ts';
import type { Conflict } from '../../src/ledger/history.ts';
import type { DocumentValue } from '../../src/ledger/document.ts';
import { hexOf } from './hex.ts';

/**
 * What a set of commits means, worked out the naive way from the decoded blocks alone: of all writings,
 * those survive that none names. It shares no code with the ledger's merging.
 */
export interface Expected {
  readonly clock: readonly string[];
  /** By id, documents that are there. */
  readonly documents: ReadonlyMap<string, Record<string, DocumentValue>>;
  /** By id, with those of deleted documents; ids without conflicts have an empty list. */
  readonly conflicts: ReadonlyMap<string, readonly Conflict[]>;
  /** By id, how often the document was written. */
  readonly writings: ReadonlyMap<string, number>;
}

type RawOperation = [
  id: string,
  replaces: Uint8Array,
  set?: Record<string, DocumentValue>,
  unset?: string[],
];

interface RawCommit {
  readonly parents: readonly CID[];
  readonly data: readonly [
    version: number,
    time: number,
    writer: Uint8Array,
    operations: readonly RawOperation[],
  ];
}

interface Writing {
  readonly cid: CID;
  readonly name: string;
  readonly time: number;
  readonly writer: string;
  readonly supersedes: ReadonlySet<string>;
  readonly deleted: boolean;
  /** Undefined where the field was removed. */
  readonly fields: ReadonlyMap<string, DocumentValue | undefined>;
}

export function expectedOf(blocks: readonly Block[]): Expected {
  const parents = new Set<string>();
  const writingsById = new Map<string, Writing[]>();
  for (const { cid, bytes } of blocks) {
    const commit = decode<RawCommit>(bytes);
    for (const parent of commit.parents) parents.add(parent.toString());
    for (const operation of commit.data[3]) {
      const writings = writingsById.get(operation[0]) ?? [];
      writings.push(writingOf(cid, commit, operation));
      writingsById.set(operation[0], writings);
    }
  }
  const heads = blocks.map(({ cid }) => cid).filter((cid) => !parents.has(cid.toString()));
  heads.sort((a, b) => compareBytes(a.multihash.digest, b.multihash.digest));
  const documents = new Map<string, Record<string, DocumentValue>>();
  const conflicts = new Map<string, readonly Conflict[]>();
  for (const [id, writings] of writingsById) {
    const { document, open } = merged(id, writings);
    if (document !== undefined) documents.set(id, document);
    conflicts.set(id, open);
  }
  return {
    clock: heads.map((cid) => cid.toString()),
    documents,
    conflicts,
    writings: new Map([...writingsById].map(([id, writings]) => [id, writings.length])),
  };
}

/** Those of the blocks that are at or below a clock. */
export function blocksBelow(blocks: readonly Block[], clock: readonly CID[]): Block[] {
  const parentsByCid = new Map(
    blocks.map(({ cid, bytes }) => [cid.toString(), decode<RawCommit>(bytes).parents]),
  );
  const below = new Set<string>();
  const walk = (cid: CID): void => {
    const key = cid.toString();
    if (below.has(key)) return;
    below.add(key);
    for (const parent of parentsByCid.get(key)!) walk(parent);
  };
  for (const cid of clock) walk(cid);
  return blocks.filter(({ cid }) => below.has(cid.toString()));
}

function writingOf(cid: CID, { data }: RawCommit, operation: RawOperation): Writing {
  const [, replaces, set, unset = []] = operation;
  const supersedes = new Set<string>();
  for (let at = 0; at < replaces.length; at += 16)
    supersedes.add(hexOf(replaces.slice(at, at + 16)));
  const fields = new Map<string, DocumentValue | undefined>(Object.entries(set ?? {}));
  for (const name of unset) fields.set(name, undefined);
  return {
    cid,
    name: hexOf(cid.multihash.digest.slice(0, 16)),
    time: data[1],
    writer: hexOf(data[2]),
    supersedes,
    deleted: set === undefined,
    fields,
  };
}

function merged(
  id: string,
  writings: readonly Writing[],
): { document: Record<string, DocumentValue> | undefined; open: Conflict[] } {
  const open: Conflict[] = [];
  const heads = surviving(writings);
  const deletes = heads.filter((head) => head.deleted);
  if (deletes.length > 0 && deletes.length < heads.length) {
    open.push({ kind: 'delete', versions: deletes.map((one) => versionOf(one, undefined)) });
  }
  const document: Record<string, DocumentValue> = { _id: id };
  for (const field of [...new Set(writings.flatMap(({ fields }) => [...fields.keys()]))].sort()) {
    const versions = surviving(writings.filter(({ fields }) => fields.has(field)));
    const values = versions.map((one) => one.fields.get(field));
    if (values[0] !== undefined) document[field] = values[0];
    if (
      new Set(values.map((value) => (value === undefined ? '' : hexOf(encode(value))))).size > 1
    ) {
      open.push({
        kind: 'field',
        field,
        versions: versions.map((one) => versionOf(one, one.fields.get(field))),
      });
    }
  }
  return { document: deletes.length === heads.length ? undefined : document, open };
}

/** The writings that none of the others names, the winner first. */
function surviving(writings: readonly Writing[]): Writing[] {
  return writings
    .filter(({ name }) => !writings.some(({ supersedes }) => supersedes.has(name)))
    .sort(
      (a, b) => b.time - a.time || compareBytes(b.cid.multihash.digest, a.cid.multihash.digest),
    );
}

function versionOf(
  { cid, time, writer }: Writing,
  value: DocumentValue | undefined,
): Conflict['versions'][number] {
  return { commit: cid, time: Math.floor(time / 256), writer, value };
}
