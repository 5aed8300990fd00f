import type { CID } from 'multiformats/cid';
import { cidOfDigest, type Block, type MaybePromise } from '../blocks.ts';
import type { CommitStore } from './commit-store.ts';
import { commitDigest, readCommit } from './commit.ts';
import { CausalContext } from './context.ts';

/** What the ledger does for its replica. */
interface Owner {
  /** @throws LedgerError `closed` */
  checkOpen(): void;
  receive(blocks: readonly Block[], origin?: object): Promise<void>;
  readonly keepsHistory: boolean;
  snapshotPays(): boolean;
  snapshot(): AsyncGenerator<Block>;
}

type Watcher = (cids: readonly CID[], origin?: object) => void;

/**
 * The ledger as blocks under a Merkle clock: what a session with a peer asks of it. Every commit is
 * one block. All methods but the getters throw LedgerError `closed` after the ledger was closed.
 */
export class LedgerReplica {
  /** The writer's id. */
  readonly id: Uint8Array;
  readonly #store: CommitStore;
  readonly #owner: Owner;
  readonly #watchers = new Set<Watcher>();

  /** What sessions ask of the ledger's past. */
  readonly history: LedgerHistory;

  constructor(id: Uint8Array, store: CommitStore, owner: Owner) {
    this.id = id;
    this.#store = store;
    this.#owner = owner;
    this.history = new LedgerHistory(store, owner);
  }

  /** The heads, sorted. */
  get clock(): readonly CID[] {
    return this.#store.clock;
  }

  /** How many blocks `cids` tells. */
  get blockCount(): number {
    return this.#store.blockCount;
  }

  /** True for applied commits, and for those that wait for their parents or their time. */
  has(cid: CID): boolean {
    this.#owner.checkOpen();
    return this.#store.has(cid);
  }

  getBlock(cid: CID): MaybePromise<Uint8Array | undefined> {
    this.#owner.checkOpen();
    return this.#store.getBlock(cid);
  }

  /** All applied commits, parents first; those that come while it runs are not among them. */
  cids(): Iterable<CID> {
    this.#owner.checkOpen();
    return this.#store.cids();
  }

  /**
   * Stores commits whose hashes were checked and merges those that can be.
   * @throws BlockError for the first that cannot be; those before it stay. StorageError
   */
  receive(blocks: readonly Block[], origin?: object): Promise<void> {
    return this.#owner.receive(blocks, origin);
  }

  /** Tells of commits applied from now on; returns the function that ends this. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** What a side lacks that has these commits and all below them; undefined when one is not here. */
  blocksSince(heads: readonly CID[]): CID[] | undefined {
    this.#owner.checkOpen();
    const { table } = this.#store;
    return this.#store.commitsSince(heads)?.map((commit) => table.cid(commit));
  }

  /** In bytes. */
  blockSize(cid: CID): number | undefined {
    const commit = this.#store.numberOf(cid);
    return commit < 0 ? undefined : this.#store.table.size(commit);
  }

  /** @throws BlockError `malformed-commit` */
  parentsOf(block: Block): CID[] | undefined {
    if (commitDigest(block.cid) === undefined) return undefined;
    return readCommit(block.bytes).parents.map((digest) => cidOfDigest(digest));
  }

  /** The watchers of now; empty costs nothing. */
  get watchers(): ReadonlySet<Watcher> {
    return this.#watchers;
  }
}

class LedgerHistory {
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

  context(): Uint8Array {
    return this.#store.state.context.encode();
  }

  /** @throws BlockError `malformed-commit`; LedgerError `closed` */
  blocksBeyond(context: Uint8Array): CID[] | undefined {
    this.#owner.checkOpen();
    const { table } = this.#store;
    return this.#store
      .commitsBeyond(CausalContext.decode(context))
      ?.map((commit) => table.cid(commit));
  }

  snapshot(): AsyncGenerator<Block> {
    this.#owner.checkOpen();
    return this.#owner.snapshot();
  }
}
