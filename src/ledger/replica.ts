import type { CID } from 'multiformats/cid';
import { cidOfDigest, type Block, type MaybePromise } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import type { Sketch } from '../sketch.ts';
import { kindOf } from './block-kind.ts';
import type { CommitStore } from './commit-store.ts';
import { commitDigest, type Dot, NAME_BYTES, readCommit } from './commit.ts';
import { CausalContext } from './context.ts';
import type { KeptSketch } from './kept-sketch.ts';
import { loadLater, prepareForPeers } from './load-later.ts';

/** What the ledger does for its replica. */
interface Owner {
  /** @throws LedgerError `closed` */
  checkOpen(): void;
  receive(blocks: readonly Block[], origin?: object): Promise<void>;
  readonly keepsHistory: boolean;
  snapshotPays(): boolean;
  snapshotSize(): { blocks: number; bytes: number };
  snapshot(): AsyncGenerator<Block>;
}

/** Called with what has been stored, and the peer that brought it, if any. */
export type Watcher = (cids: readonly CID[], origin?: object) => void;

/**
 * The ledger as blocks under a Merkle clock: what a session with a peer asks of it. Every commit is
 * one block. All methods but the getters throw LedgerError `closed` after the ledger was closed.
 */
export interface LedgerReplica {
  /** The writer's id. */
  readonly id: Uint8Array;
  /** Loads what peers take, while they connect. */
  prepare(): void;
  /** The heads, sorted. */
  readonly clock: readonly CID[];
  /** How many blocks `cids` tells. */
  readonly blockCount: number;
  /** What sessions ask of the ledger's past. */
  readonly history: LedgerHistory;
  /** True for applied commits, and for those that wait for their parents or their time. */
  has(cid: CID): MaybePromise<boolean>;
  getBlock(cid: CID): MaybePromise<Uint8Array | undefined>;
  /** All applied commits, parents first; those that come while it runs are not among them. */
  cids(): Iterable<CID> | AsyncIterable<CID>;
  /**
   * Stores commits whose hashes were checked and merges those that can be.
   * @throws BlockError for the first that cannot be; those before it stay. StorageError
   */
  receive(blocks: readonly Block[], origin?: object): Promise<void>;
  /** True for a commit that `receive` would pass over. */
  isKnown(cid: CID, dot: Dot): MaybePromise<boolean>;
  /** False for a snapshot that `receive` would pass over. */
  bringsNews(root: Block): MaybePromise<boolean>;
  /** Tells of commits applied from now on; returns the function that ends this. */
  watch(watcher: Watcher): () => void;
  /** What a side lacks that has these commits and all below them; undefined when one is not here. */
  blocksSince(heads: readonly CID[]): MaybePromise<CID[] | undefined>;
  /**
   * The first symbols of all applied commits. The first call goes through all of them, the next ones
   * only through those that have come since.
   */
  sketch(): Promise<Sketch>;
  /** The applied commits whose digests begin with one of these keys, parents first. */
  find(keys: Uint8Array): MaybePromise<CID[]>;
  /** In bytes; undefined where that is not known here. */
  blockSize(cid: CID): number | undefined;
  /** The id of the writer of an applied commit; undefined where that is not known here. */
  writerOf(cid: CID): string | undefined;
  /** @throws BlockError `malformed-commit` */
  parentsOf(block: Block): CID[] | undefined;
}

/** What sessions ask of a ledger's past: see ReplicaHistory. */
export interface LedgerHistory {
  readonly isFull: boolean;
  readonly isPruned: boolean;
  readonly commitCount: number;
  readonly snapshotPays: boolean;
  readonly snapshotSize: { readonly blocks: number; readonly bytes: number };
  hasMerged(commits: readonly CID[]): MaybePromise<boolean>;
  context(): MaybePromise<Uint8Array>;
  /** @throws BlockError `malformed-commit`; LedgerError `closed` */
  blocksBeyond(context: Uint8Array): MaybePromise<CID[] | undefined>;
  loosePages(): readonly CID[];
  snapshot(): AsyncGenerator<Block>;
}

/** The replica of a ledger that is here. */
export class LocalReplica implements LedgerReplica {
  readonly id: Uint8Array;
  readonly #store: CommitStore;
  readonly #owner: Owner;
  readonly #watchers = new Set<Watcher>();
  #sketch: KeptSketch | undefined;

  readonly history: LocalHistory;
  readonly prepare: () => void = prepareForPeers;

  constructor(id: Uint8Array, store: CommitStore, owner: Owner) {
    this.id = id;
    this.#store = store;
    this.#owner = owner;
    this.history = new LocalHistory(store, owner);
  }

  get clock(): readonly CID[] {
    return this.#store.clock;
  }

  get blockCount(): number {
    return this.#store.blockCount;
  }

  has(cid: CID): boolean {
    this.#owner.checkOpen();
    return this.#store.has(cid);
  }

  getBlock(cid: CID): MaybePromise<Uint8Array | undefined> {
    this.#owner.checkOpen();
    return this.#store.getBlock(cid);
  }

  cids(): Iterable<CID> {
    this.#owner.checkOpen();
    return this.#store.cids();
  }

  receive(blocks: readonly Block[], origin?: object): Promise<void> {
    return this.#owner.receive(blocks, origin);
  }

  isKnown(cid: CID, dot: Dot): boolean {
    this.#owner.checkOpen();
    return this.#store.isKnown(cid, dot);
  }

  async bringsNews(root: Block): Promise<boolean> {
    this.#owner.checkOpen();
    const { bringsNews, readRoot } = await loadLater();
    return bringsNews(this.#store.state, readRoot(root.bytes));
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  blocksSince(heads: readonly CID[]): CID[] | undefined {
    this.#owner.checkOpen();
    const { table } = this.#store;
    return this.#store.commitsSince(heads)?.map((commit) => table.cid(commit));
  }

  async sketch(): Promise<Sketch> {
    this.#owner.checkOpen();
    const { KeptSketch } = await loadLater();
    this.#sketch ??= new KeptSketch(this.#store);
    return this.#sketch.read();
  }

  find(keys: Uint8Array): CID[] {
    this.#owner.checkOpen();
    const { table, count } = this.#store;
    const found = new Set<number>();
    for (let at = 0; at < keys.length; at += NAME_BYTES) {
      const commit = table.find(keys.subarray(at, at + NAME_BYTES));
      if (commit >= 0 && commit < count && table.isWhole(commit)) found.add(commit);
    }
    return [...found].sort((a, b) => a - b).map((commit) => table.cid(commit));
  }

  blockSize(cid: CID): number | undefined {
    const commit = this.#store.numberOf(cid);
    return commit < 0 ? undefined : this.#store.table.size(commit);
  }

  writerOf(cid: CID): string | undefined {
    const commit = this.#store.numberOf(cid);
    return commit < 0 ? undefined : keyOf(this.#store.table.writer(commit));
  }

  parentsOf(block: Block): CID[] | undefined {
    return parentsOf(block);
  }

  /** The watchers of now; empty costs nothing. */
  get watchers(): ReadonlySet<Watcher> {
    return this.#watchers;
  }
}

class LocalHistory implements LedgerHistory {
  readonly #store: CommitStore;
  readonly #owner: Owner;

  constructor(store: CommitStore, owner: Owner) {
    this.#store = store;
    this.#owner = owner;
  }

  get isFull(): boolean {
    return this.#owner.keepsHistory;
  }

  get isPruned(): boolean {
    return this.#store.isPruned;
  }

  get commitCount(): number {
    return this.#store.mergedCount;
  }

  get snapshotPays(): boolean {
    return this.#owner.snapshotPays();
  }

  get snapshotSize(): { blocks: number; bytes: number } {
    return this.#owner.snapshotSize();
  }

  hasMerged(commits: readonly CID[]): boolean {
    return commits.every((cid) => this.#store.isMerged(cid));
  }

  context(): Uint8Array {
    return this.#store.state.context.encode();
  }

  blocksBeyond(context: Uint8Array): CID[] | undefined {
    this.#owner.checkOpen();
    const { table } = this.#store;
    return this.#store
      .commitsBeyond(CausalContext.decode(context))
      ?.map((commit) => table.cid(commit));
  }

  loosePages(): CID[] {
    return this.#store.loosePages;
  }

  snapshot(): AsyncGenerator<Block> {
    this.#owner.checkOpen();
    return this.#owner.snapshot();
  }
}

/** The parents of a commit, undefined for any other block. @throws BlockError `malformed-commit` */
export function parentsOf({ cid, bytes }: Block): CID[] | undefined {
  if (commitDigest(cid) === undefined) return undefined;
  if (kindOf(bytes) !== 'commit') return undefined;
  return readCommit(bytes).parents.map((digest) => cidOfDigest(digest));
}
