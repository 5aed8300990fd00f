import type { CID } from 'multiformats/cid';
import type { Block, MaybePromise } from '../blocks.ts';
import { LedgerError } from '../errors.ts';
import type { Dot } from '../ledger/commit.ts';
import type { CommitEntry, CommitsOptions } from '../ledger/commit-entries.ts';
import type { CompactReport } from '../ledger/compaction.ts';
import type { Document, EncodedDocument } from '../ledger/document.ts';
import type { Conflict, HistoryEntry } from '../ledger/history.ts';
import type { Clock, PutOptions, VerifyReport, WriteResult } from '../ledger/ledger.ts';
import type { LocalLedger } from '../ledger/local-ledger.ts';
import type { QueryOptions, QueryRow } from '../ledger/query.ts';
import type { AllDocsOptions, DocumentRow, LocalView } from '../ledger/view.ts';
import type { Sketch } from '../sketch.ts';
import type { Origin } from './messages.ts';
import type { Streams } from './streams.ts';

/** What calls are answered with. */
export interface Desk {
  readonly ledger: LocalLedger;
  readonly streams: Streams;
  /** @throws LedgerError `unknown-clock` */
  view(at: At): LocalLedger | LocalView;
  /** The same object for each mention of an origin. */
  originOf(origin: Origin | undefined): Origin | undefined;
  destroy(by: string): Promise<void>;
}

/** The clock of a view, undefined for the documents of now. */
export type At = Clock | undefined;

/**
 * What a tab asks of the one that leads. All that writes may be done twice, with the same outcome as
 * once: who gets no answer asks the next leader.
 */
export interface Calls {
  put(document: EncodedDocument, options?: PutOptions): WriteResult;
  patch(document: EncodedDocument, options?: PutOptions): WriteResult;
  bulk(documents: readonly EncodedDocument[]): { ids: string[]; clock: Clock };
  del(id: string): WriteResult;
  compact(): CompactReport;
  importBlocks(blocks: readonly Block[]): number;
  verify(): VerifyReport;
  /** @param by the tab that calls */
  destroy(by: string): void;

  get(at: At, id: string): Document | undefined;
  allDocs(at: At, options?: AllDocsOptions): { rows: DocumentRow[]; clock: Clock };
  query(at: At, field: string, options?: QueryOptions): { rows: QueryRow[]; clock: Clock };
  history(at: At, id: string): HistoryEntry[];
  conflicts(at: At, id: string): Conflict[];
  allIds(at: At): string[];
  getAll(at: At, ids: readonly string[]): (Document | undefined)[];
  changes(since?: Clock): { rows: { id: string; doc: Document | undefined }[]; clock: Clock };
  conflicted(): string[];
  commits(options?: CommitsOptions): CommitEntry[];
  clockAt(timeMs: number): Clock;
  /** What has come since a clock that a tab knew: what its listeners and sessions are told. */
  missed(since: Clock): Missed;
  digest(): string;

  has(cid: CID): boolean;
  getBlock(cid: CID): Uint8Array | undefined;
  receive(blocks: readonly Block[], origin?: Origin): void;
  isKnown(cid: CID, dot: Dot): boolean;
  bringsNews(root: Block): boolean;
  blocksSince(heads: readonly CID[]): CID[] | undefined;
  sketch(): Pick<Sketch, 'words' | 'counts' | 'size'>;
  find(keys: Uint8Array): CID[];
  hasMerged(commits: readonly CID[]): boolean;
  context(): Uint8Array;
  blocksBeyond(context: Uint8Array): CID[] | undefined;

  /** What is too much for one answer: see Streams. */
  openStream(source: keyof StreamItems): number;
  nextOfStream(stream: number): { items: unknown[]; done: boolean };
  endStream(stream: number): void;
}

export interface Missed {
  readonly ids: readonly string[];
  readonly cids: readonly CID[];
  readonly clock: Clock;
}

export interface StreamItems {
  readonly export: Uint8Array;
  readonly snapshot: Uint8Array;
  readonly snapshotBlocks: Block;
  readonly cids: CID;
}

/** @throws whatever the call does, at once or later */
export function perform(desk: Desk, name: string, args: readonly unknown[]): unknown {
  if (!Object.hasOwn(CALLS, name)) throw new TypeError(`no tab does '${name}'`);
  const call = CALLS[name as keyof Calls] as (desk: Desk, ...args: readonly unknown[]) => unknown;
  return call(desk, ...args);
}

const CALLS: {
  readonly [N in keyof Calls]: (
    desk: Desk,
    ...args: Parameters<Calls[N]>
  ) => MaybePromise<ReturnType<Calls[N]>>;
} = {
  put: ({ ledger }, document, options) => ledger.putEncoded(document, options),
  patch: ({ ledger }, document, options) => ledger.patchEncoded(document, options),
  bulk: ({ ledger }, documents) => ledger.bulkEncoded(documents),
  del: ({ ledger }, id) => ledger.del(id),
  compact: ({ ledger }) => ledger.compact(),
  importBlocks: ({ ledger }, blocks) => ledger.importBlocks(blocks),
  verify: ({ ledger }) => ledger.verify(),
  destroy: (desk, by) => desk.destroy(by),

  get: (desk, at, id) => desk.view(at).get(id),
  allDocs: (desk, at, options) => desk.view(at).allDocs(options),
  query: (desk, at, field, options) => desk.view(at).query(field, options),
  history: (desk, at, id) => desk.view(at).history(id),
  conflicts: (desk, at, id) => desk.view(at).conflicts(id),
  allIds: (desk, at) => desk.view(at).allIds(),
  getAll: (desk, at, ids) => desk.view(at).getAll(ids),
  changes: ({ ledger }, since) => ledger.changes(since),
  conflicted: ({ ledger }) => ledger.conflicted(),
  commits: ({ ledger }, options) => ledger.commits(options),
  clockAt: ({ ledger }, timeMs) => ledger.clockAt(timeMs),
  missed: ({ ledger }, since) => missed(ledger, since),
  digest: ({ ledger }) => ledger.digest(),

  has: ({ ledger }, cid) => ledger.replica.has(cid),
  getBlock: ({ ledger }, cid) => ledger.replica.getBlock(cid),
  receive: (desk, blocks, origin) => desk.ledger.replica.receive(blocks, desk.originOf(origin)),
  isKnown: ({ ledger }, cid, dot) => ledger.replica.isKnown(cid, dot),
  bringsNews: ({ ledger }, root) => ledger.replica.bringsNews(root),
  blocksSince: ({ ledger }, heads) => ledger.replica.blocksSince(heads),
  sketch: async ({ ledger }) => {
    const { words, counts, size } = await ledger.replica.sketch();
    return { words, counts, size };
  },
  find: ({ ledger }, keys) => ledger.replica.find(keys),
  hasMerged: ({ ledger }, commits) => ledger.replica.history.hasMerged(commits),
  context: ({ ledger }) => ledger.replica.history.context(),
  blocksBeyond: ({ ledger }, context) => ledger.replica.history.blocksBeyond(context),

  openStream: ({ ledger, streams }, source) => streams.open(STREAMS[source](ledger)),
  nextOfStream: ({ streams }, stream) => streams.next(stream),
  endStream: ({ streams }, stream) => streams.end(stream),
};

const STREAMS: {
  readonly [S in keyof StreamItems]: (
    ledger: LocalLedger,
  ) => Iterable<StreamItems[S]> | AsyncIterable<StreamItems[S]>;
} = {
  export: (ledger) => ledger.export(),
  snapshot: (ledger) => ledger.snapshot(),
  snapshotBlocks: (ledger) => ledger.replica.history.snapshot(),
  cids: (ledger) => ledger.replica.cids(),
};

/** What has come since a clock; where that is not known any more, all. */
export async function missed(ledger: LocalLedger, since: Clock): Promise<Missed> {
  try {
    const ids = await ledger.idsSince(since);
    const { clock, replica } = ledger;
    return { ids, cids: replica.blocksSince(since) ?? clock, clock };
  } catch (error) {
    if (!(error instanceof LedgerError && error.code === 'unknown-clock')) throw error;
    // The commits of then were dropped: anything may be another than it was.
    return { ids: await ledger.allIds(), cids: ledger.clock, clock: ledger.clock };
  }
}
