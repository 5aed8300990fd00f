import type { CID } from 'multiformats/cid';
import type { Block, MaybePromise } from '../blocks.ts';

/**
 * The few things that a session asks of a ledger. Any store of content-addressed blocks under a
 * Merkle clock that offers them can be synced.
 *
 * The order that matters everywhere is the replica's own: blocks in the order they were stored, so
 * that whatever a block links to comes before it ("parents first").
 */
export interface Replica {
  /** Names this replica among others, in at most 64 bytes: with it, syncing with oneself is refused. */
  readonly id?: Uint8Array;
  /** The heads of the Merkle clock: commits that no other commit here names as a parent. */
  readonly clock: readonly CID[];
  /** The number of blocks that `cids` tells. */
  readonly blockCount: number;
  /** True when the block is held, waiting or not. */
  has(cid: CID): MaybePromise<boolean>;
  /** The bytes of a held block, undefined for any other. */
  getBlock(cid: CID): MaybePromise<Uint8Array | undefined>;
  /** The CIDs of all held blocks, parents first; those that wait for their parents are left out. */
  cids(): Iterable<CID> | AsyncIterable<CID>;
  /**
   * Stores blocks whose hashes have been checked and advances the clock by those that are commits;
   * resolves when they are as durable as the replica promises. Blocks held already are nothing new.
   * Blocks whose links are not there yet are kept aside within a bound of the replica's choice.
   * @param origin handed on to the watchers, so that a session does not echo what it brought
   * @throws BlockError for the first block that cannot be; the blocks before it are stored
   */
  receive(blocks: readonly Block[], origin?: object): MaybePromise<void>;
  /**
   * Calls the listener with the CIDs of each group of blocks stored from now on, parents first.
   * Returns the function that ends this.
   */
  watch(listener: (cids: readonly CID[], origin?: object) => void): () => void;
  /**
   * What a side lacks that holds these heads and everything below them, parents first; undefined
   * when one of them is not held here. Without this method sessions compare full lists.
   */
  blocksSince?(heads: readonly CID[]): MaybePromise<Iterable<CID> | AsyncIterable<CID> | undefined>;
  /** The size in bytes of a held block where that costs nothing to tell; used for progress only. */
  blockSize?(cid: CID): number | undefined;
  /** For a replica that may hold old commits only within a snapshot. */
  readonly history?: ReplicaHistory;
  /** The parents of a block that is a commit, undefined for any other block. */
  parentsOf(block: Block): readonly CID[] | undefined;
}

/**
 * What a replica tells of its past. A context says which commits it has merged, whether it still holds
 * them or not, as bytes that only replicas of its kind read.
 */
export interface ReplicaHistory {
  /** True when it wants every commit there is, where others take a snapshot. */
  readonly isFull: boolean;
  /** True when it holds some commits only within a snapshot. */
  readonly isPruned: boolean;
  /** How many commits it has merged, dropped ones among them. */
  readonly commitCount: number;
  /** True when a snapshot is less than the commits that it stands for. */
  readonly snapshotPays: boolean;
  context(): Uint8Array;
  /**
   * What a side lacks that has merged what this context covers, parents first; undefined when some of
   * it was dropped here, so that only a snapshot tells it.
   * @throws BlockError when these are not the bytes of a context
   */
  blocksBeyond(context: Uint8Array): MaybePromise<Iterable<CID> | undefined>;
  /** The state of now as the blocks of a snapshot, in the order in which `receive` takes them. */
  snapshot(): AsyncIterable<Block>;
}
