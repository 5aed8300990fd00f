import type { CID } from 'multiformats/cid';
import type { Block, MaybePromise } from '../blocks.ts';
import type { Sketch } from '../sketch.ts';

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
  /** Told that a peer will come, when a connection to it is begun: what that takes can be made ready. */
  prepare?(): void;
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
   * Blocks whose links are not there yet are kept aside within a bound of the replica's choice; between
   * many peers that is usual.
   * @param origin handed on to the watchers with these blocks, also with those that are kept aside
   *   first, so that a session does not echo what it brought. It may be kept for longer than that
   *   session lives
   * @throws BlockError for the first block that cannot be; the blocks before it are stored
   */
  receive(blocks: readonly Block[], origin?: object): MaybePromise<void>;
  /**
   * Calls the listener with the CIDs of each group of blocks stored from now on, parents first. A
   * commit is in the same group as the new blocks beside its parents that it links to.
   * Returns the function that ends this.
   */
  watch(listener: (cids: readonly CID[], origin?: object) => void): () => void;
  /**
   * What a side lacks that holds these heads and everything below them, parents first; undefined
   * when one of them is not held here, or only waits. Without this method sessions look for the
   * difference in other ways, even where it is on one side only.
   */
  blocksSince?(heads: readonly CID[]): MaybePromise<Iterable<CID> | AsyncIterable<CID> | undefined>;
  /**
   * The symbols 0 to `KEPT_SYMBOLS - 1`, without a salt, of the keys of all blocks that `cids` tells
   * now: a copy that stays as it is. A key is the first 16 bytes of the digest of a dag-cbor CIDv1 of
   * a SHA-256; of any other CID those of the SHA-256 of its bytes. Without this method sessions make
   * the symbols in a pass over `cids`.
   */
  sketch?(): MaybePromise<Sketch>;
  /**
   * The blocks among those of `cids` that have one of these keys (16 bytes each, one after the
   * other), each once, parents first. Without this method sessions look through `cids`.
   */
  find?(keys: Uint8Array): MaybePromise<readonly CID[]>;
  /** The size in bytes of a held block where that costs nothing to tell; used for progress only. */
  blockSize?(cid: CID): number | undefined;
  /** For a replica that may hold old commits only within a snapshot. */
  readonly history?: ReplicaHistory;
  /**
   * Who wrote a held commit, as any text that is the same for all of a writer's commits; undefined where
   * that is not known. Between many peers a writer's blocks keep to the ways that were fastest; blocks
   * without a writer are handed on at once, in their order. Without this method all are handed on as
   * the last ones were that the same peer brought.
   */
  writerOf?(cid: CID): string | undefined;
  /** The replica that this one stands before, to look at what comes: both are one to `traceSync`. */
  readonly guards?: Replica;
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
  /** How large a snapshot is, about. */
  readonly snapshotSize: { readonly blocks: number; readonly bytes: number };
  /** True when it has merged all these commits, dropped ones or not. */
  hasMerged(commits: readonly CID[]): MaybePromise<boolean>;
  context(): MaybePromise<Uint8Array>;
  /**
   * What a side lacks that has merged what this context covers, parents first; undefined when some of
   * it was dropped here, so that only a snapshot tells it.
   * @throws BlockError when these are not the bytes of a context
   */
  blocksBeyond(context: Uint8Array): MaybePromise<Iterable<CID> | undefined>;
  /** The pages here of a snapshot that did not arrive whole: they need not be sent again. */
  loosePages(): readonly CID[];
  /** The state of now as the blocks of a snapshot, in the order in which `receive` takes them. */
  snapshot(): AsyncIterable<Block>;
}
