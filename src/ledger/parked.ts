import type { CID } from 'multiformats/cid';
import type { Block } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import { BlockError, StorageError } from '../errors.ts';
import { type Location, type Log, locationOf } from '../storage/log.ts';
import { commitDigest, readCommit, type Commit, type Dot } from './commit.ts';
import { SortedList } from './sorted-list.ts';

/**
 * Commits that are held but cannot be applied yet: a parent is missing, or their time is too far in
 * the future. Their bytes lie in a log of their own, so that the main log holds applied commits only
 * and they survive a restart; in memory there is a small note about each. Bounded: a peer that sends
 * ever more of them is refused, and what it sent stays within the bound.
 */
export class ParkedCommits {
  readonly #log: Log;
  readonly #maxBytes: number;
  readonly #byKey = new Map<string, ParkedCommit>();
  /** Keys of the commits that wait for this parent. */
  readonly #children = new Map<string, Set<string>>();
  readonly #byTime = new SortedList<Timed>(
    (a, b) => a.time - b.time || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  );
  #bytes = 0;
  /** Bytes in the log that are no longer waiting. */
  #taken = 0;

  private constructor(log: Log, maxBytes: number) {
    this.#log = log;
    this.#maxBytes = maxBytes;
  }

  /**
   * Reads the log of an earlier run; what it cannot read stays out and is in the log's `damage`.
   * @param isApplied tells those that were taken out and applied before that run ended
   */
  static async open(
    log: Log,
    maxBytes: number,
    isApplied: (digest: Uint8Array) => boolean,
  ): Promise<ParkedCommits> {
    const parked = new ParkedCommits(log, maxBytes);
    for await (const entries of log.recover()) {
      for (const entry of entries) {
        const digest = commitDigest(entry.cid);
        const commit = digest && readIfPossible(entry.bytes);
        if (digest === undefined || commit === undefined || isApplied(digest)) {
          parked.#taken += entry.length;
        } else {
          parked.#note(entry.cid, digest, commit, locationOf(entry), undefined);
        }
      }
    }
    return parked;
  }

  get size(): number {
    return this.#byKey.size;
  }

  has(digest: Uint8Array): boolean {
    return this.#byKey.size > 0 && this.#byKey.has(keyOf(digest));
  }

  async bytesOf(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const commit = this.#byKey.get(keyOf(digest));
    return commit === undefined ? undefined : this.#log.read(commit.location, commit.cid);
  }

  /** @throws BlockError `too-many-parked` */
  async add({ origin, ...block }: Brought, digest: Uint8Array, commit: Commit): Promise<void> {
    if (this.#bytes + block.bytes.length > this.#maxBytes) {
      throw new BlockError(
        'too-many-parked',
        `commits that cannot be applied yet fill ${this.#maxBytes} bytes (maxParkedBytes)`,
      );
    }
    const [location] = await this.#log.append([block]);
    this.#note(block.cid, digest, commit, location!, origin);
  }

  /** Those children of a commit, given by its digest, that `isReady` allows. */
  async readyChildren(
    digest: Uint8Array,
    isReady: (commit: ParkedCommit) => boolean,
  ): Promise<Brought[]> {
    if (this.#byKey.size === 0) return [];
    const keys = this.#children.get(keyOf(digest));
    return keys === undefined ? [] : this.#read(keys, isReady);
  }

  /** Those that `isReady` allows. */
  async ready(isReady: (commit: ParkedCommit) => boolean): Promise<Brought[]> {
    return this.#read(this.#byKey.keys(), isReady);
  }

  /** The earliest time after this one at which one of them was written; Infinity when there is none. */
  earliestAfter(time: number): number {
    const [earliest] = this.#byTime.range(
      (commit) => commit.time <= time,
      () => false,
    );
    return earliest?.time ?? Infinity;
  }

  /** Forgets one that is stored elsewhere, or that nobody wants. */
  remove(cid: CID): void {
    const key = keyOf(cid.multihash.digest);
    const commit = this.#byKey.get(key);
    if (commit === undefined) return;
    this.#byKey.delete(key);
    this.#byTime.remove({ time: commit.time, key });
    this.#bytes -= commit.location.length;
    this.#taken += commit.location.length;
    for (const parent of commit.parents.map(keyOf)) {
      const siblings = this.#children.get(parent);
      siblings?.delete(key);
      if (siblings?.size === 0) this.#children.delete(parent);
    }
  }

  /**
   * Frees the room in the log of those that were removed. What is cut off in the middle is no longer
   * held, and the next peer that has it sends it again.
   */
  async sweep(): Promise<void> {
    if (this.#taken === 0 || (this.#byKey.size > 0 && this.#taken < this.#maxBytes)) return;
    const blocks = await this.#read(this.#byKey.keys(), () => true);
    const kept = blocks.map(({ cid }) => this.#byKey.get(keyOf(cid.multihash.digest))!);
    for (const { cid } of kept) this.remove(cid);
    await this.#log.clear();
    this.#taken = 0;
    const locations = await this.#log.append(blocks);
    kept.forEach((commit, index) => this.#insert({ ...commit, location: locations[index]! }));
  }

  async #read(
    keys: Iterable<string>,
    isReady: (commit: ParkedCommit) => boolean,
  ): Promise<Brought[]> {
    const blocks: Brought[] = [];
    for (const key of Array.from(keys)) {
      const commit = this.#byKey.get(key);
      if (commit === undefined || !isReady(commit)) continue;
      try {
        const bytes = await this.#log.read(commit.location, commit.cid);
        blocks.push({ cid: commit.cid, bytes, origin: commit.origin });
      } catch (error) {
        if (!(error instanceof StorageError && error.code === 'corrupt')) throw error;
        // The log's `damage` tells of it; the next peer that has it sends it again.
        this.remove(commit.cid);
      }
    }
    return blocks;
  }

  #note(
    cid: CID,
    digest: Uint8Array,
    commit: Commit,
    location: Location,
    origin: object | undefined,
  ): void {
    if (this.has(digest)) return;
    const parents = commit.parents.map((parent) => parent.slice());
    const parentDots = commit.parentDots.map(({ writer, sequence }) => ({
      writer: writer.slice(),
      sequence,
    }));
    this.#insert({ cid, time: commit.time, parents, parentDots, location, origin });
  }

  #insert(commit: ParkedCommit): void {
    const key = keyOf(commit.cid.multihash.digest);
    this.#byKey.set(key, commit);
    this.#byTime.add({ time: commit.time, key });
    this.#bytes += commit.location.length;
    for (const parent of commit.parents.map(keyOf)) {
      const siblings = this.#children.get(parent);
      if (siblings === undefined) this.#children.set(parent, new Set([key]));
      else siblings.add(key);
    }
  }
}

/** A block and who brought it; undefined when that is not known, as after a restart. */
export interface Brought extends Block {
  readonly origin: object | undefined;
}

export interface ParkedCommit {
  readonly cid: CID;
  readonly time: number;
  /** The digests of its parents. */
  readonly parents: readonly Uint8Array[];
  readonly parentDots: readonly Dot[];
  readonly location: Location;
  readonly origin: object | undefined;
}

interface Timed {
  readonly time: number;
  readonly key: string;
}

function readIfPossible(bytes: Uint8Array): Commit | undefined {
  try {
    return readCommit(bytes);
  } catch (error) {
    // Another version of the format took it in.
    if (error instanceof BlockError) return undefined;
    throw error;
  }
}
