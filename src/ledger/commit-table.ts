import type { CID } from 'multiformats/cid';
import { cidOfDigest } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import type { Location } from '../storage/log.ts';
import { NAME_BYTES, type Dot } from './commit.ts';
import type { Version } from './snapshot.ts';

/**
 * Every commit of a ledger in a few typed arrays: about 80 bytes each, no object per commit, so that
 * a million of them cost what they weigh. Commits are numbered in the order in which they were applied;
 * a parent's number is smaller than its child's, which makes the number a generation for graph walks.
 *
 * A hole is a commit that the log has lost: others name it as their parent, its bytes are not here.
 * A pruned commit is merged and its bytes were dropped: all that is left of it is in a snapshot.
 */
export class CommitTable {
  #count = 0;
  #digests = new Uint8Array(0);
  #times = new Float64Array(0);
  #segments = new Uint32Array(0);
  #offsets = new Uint32Array(0);
  #lengths = new Uint32Array(0);
  #writers = new Uint32Array(0);
  #sequences = new Uint32Array(0);
  /** The writers by the number they have in #writers; number 0 is nobody. */
  #writerIds: Uint8Array[] = [new Uint8Array(0)];
  #writerNumbers = new Map<string, number>();
  /** The parent's number; NO_PARENT; or, below it, a list in #parentLists at -2 - value. */
  #parents = new Int32Array(0);
  #parentLists: number[][] = [];
  /** Open addressing by digest: number + 1, 0 where empty. At most half full. */
  #slots = new Int32Array(16);

  get count(): number {
    return this.#count;
  }

  /** @returns the number given to the commit */
  add(
    digest: Uint8Array,
    parents: readonly number[],
    time: number,
    dot: Dot,
    location: Location,
  ): number {
    if (this.#count === this.#times.length) this.#grow(Math.max(64, this.#count * 2));
    const commit = this.#count++;
    this.#digests.set(digest, commit * 32);
    this.#times[commit] = time;
    this.#writers[commit] = this.#writerNumber(dot.writer);
    this.#sequences[commit] = dot.sequence;
    this.setLocation(commit, location);
    if (parents.length === 0) {
      this.#parents[commit] = NO_PARENT;
    } else if (parents.length === 1) {
      this.#parents[commit] = parents[0]!;
    } else {
      this.#parents[commit] = -2 - this.#parentLists.length;
      this.#parentLists.push([...parents]);
    }
    this.#place(commit);
    return commit;
  }

  /** Tells of a hole what was not known of it. */
  fill(commit: number, time: number, dot: Dot, location: Location): void {
    this.#times[commit] = time;
    this.#writers[commit] = this.#writerNumber(dot.writer);
    this.#sequences[commit] = dot.sequence;
    this.setLocation(commit, location);
  }

  /** Forgets the commits from number `count` on. */
  truncate(count: number): void {
    this.#count = count;
    this.#reslot();
  }

  setLocation(commit: number, location: Location): void {
    this.#segments[commit] = location.segment;
    this.#offsets[commit] = location.offset;
    this.#lengths[commit] = location.length;
  }

  /** The number of the commit with this digest (32 bytes), or the first half of it; -1 if none. */
  find(digest: Uint8Array, length: number = digest.length): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(digest, 0) & mask; ; slot = (slot + 1) & mask) {
      const commit = this.#slots[slot]! - 1;
      if (commit < 0) return -1;
      if (this.#matches(commit, digest, length)) return commit;
    }
  }

  digest(commit: number): Uint8Array {
    return this.#digests.slice(commit * 32, commit * 32 + 32);
  }

  name(commit: number): Uint8Array {
    return this.#digests.subarray(commit * 32, commit * 32 + NAME_BYTES);
  }

  cid(commit: number): CID {
    return cidOfDigest(this.digest(commit));
  }

  time(commit: number): number {
    return this.#times[commit]!;
  }

  /** The commit's writer; the id of a commit that is only known as a lost parent is empty. */
  writer(commit: number): Uint8Array {
    return this.#writerIds[this.#writers[commit]!]!;
  }

  sequence(commit: number): number {
    return this.#sequences[commit]!;
  }

  dot(commit: number): Dot {
    return { writer: this.writer(commit), sequence: this.sequence(commit) };
  }

  version(commit: number): Version {
    return { digest: this.digest(commit), time: this.time(commit), ...this.dot(commit) };
  }

  location(commit: number): Location {
    return {
      segment: this.#segments[commit]!,
      offset: this.#offsets[commit]!,
      length: this.#lengths[commit]!,
    };
  }

  size(commit: number): number {
    return this.#lengths[commit]!;
  }

  /** A hole has no bytes. */
  isHole(commit: number): boolean {
    return this.#lengths[commit] === 0 && this.#segments[commit] !== PRUNED.segment;
  }

  isPruned(commit: number): boolean {
    return this.#lengths[commit] === 0 && this.#segments[commit] === PRUNED.segment;
  }

  /** True when the commit's bytes are in the log. */
  isWhole(commit: number): boolean {
    return this.#lengths[commit] !== 0;
  }

  parents(commit: number): readonly number[] {
    const parent = this.#parents[commit]!;
    if (parent === NO_PARENT) return [];
    return parent >= 0 ? [parent] : this.#parentLists[-2 - parent]!;
  }

  /** Negative when the digest of `a` sorts before that of `b`. */
  compareDigests(a: number, b: number): number {
    const digests = this.#digests;
    for (let i = 0; i < 32; i++) {
      const difference = digests[a * 32 + i]! - digests[b * 32 + i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /**
   * A set of commits that holds, for each of them, all its ancestors: everything at or below `heads`.
   * One bit a commit; the walk goes down by number, so each commit is looked at once.
   */
  ancestors(heads: readonly number[]): CommitSet {
    const set = new CommitSet(this.#count);
    let top = -1;
    for (const head of heads) {
      set.add(head);
      top = Math.max(top, head);
    }
    for (let commit = top; commit >= 0; commit--) {
      if (!set.has(commit)) continue;
      for (const parent of this.parents(commit)) set.add(parent);
    }
    return set;
  }

  /**
   * The commits at or below `tips` that are not at or below `heads`, ascending: what a side lacks that
   * has just `heads`. The walk goes down no further than the oldest of them.
   */
  notBelow(heads: readonly number[], tips: readonly number[]): number[] {
    const covered = new CommitSet(this.#count);
    const reached = new CommitSet(this.#count);
    for (const head of heads) covered.add(head);
    let open = 0;
    const reach = (commit: number): void => {
      if (reached.has(commit)) return;
      reached.add(commit);
      if (!covered.has(commit)) open++;
    };
    for (const tip of tips) reach(tip);
    const missing: number[] = [];
    for (let commit = this.#count - 1; commit >= 0 && open > 0; commit--) {
      if (covered.has(commit)) {
        for (const parent of this.parents(commit)) {
          if (reached.has(parent) && !covered.has(parent)) open--;
          covered.add(parent);
        }
      } else if (reached.has(commit)) {
        missing.push(commit);
        open--;
        for (const parent of this.parents(commit)) reach(parent);
      }
    }
    return missing.reverse();
  }

  // --- saving ---

  /** The table as typed arrays of exactly its size, for the saved index. */
  dump(): CommitTableDump {
    const count = this.#count;
    return {
      count,
      digests: this.#digests.subarray(0, count * 32),
      times: this.#times.subarray(0, count),
      segments: this.#segments.subarray(0, count),
      offsets: this.#offsets.subarray(0, count),
      lengths: this.#lengths.subarray(0, count),
      writers: this.#writers.subarray(0, count),
      sequences: this.#sequences.subarray(0, count),
      writerIds: this.#writerIds,
      parents: this.#parents.subarray(0, count),
      parentLists: this.#parentLists,
    };
  }

  static restore(dump: CommitTableDump): CommitTable {
    const table = new CommitTable();
    table.#count = dump.count;
    table.#digests = dump.digests;
    table.#times = dump.times;
    table.#segments = dump.segments;
    table.#offsets = dump.offsets;
    table.#lengths = dump.lengths;
    table.#writers = dump.writers;
    table.#sequences = dump.sequences;
    table.#writerIds = [];
    for (const writer of dump.writerIds) table.#addWriter(writer);
    table.#parents = dump.parents;
    table.#parentLists = dump.parentLists;
    table.#reslot();
    return table;
  }

  // --- internals ---

  #writerNumber(writer: Uint8Array): number {
    if (writer.length === 0) return 0;
    return this.#writerNumbers.get(keyOf(writer)) ?? this.#addWriter(writer.slice());
  }

  #addWriter(writer: Uint8Array): number {
    const number = this.#writerIds.length;
    this.#writerIds.push(writer);
    this.#writerNumbers.set(keyOf(writer), number);
    return number;
  }

  #matches(commit: number, digest: Uint8Array, length: number): boolean {
    const start = commit * 32;
    for (let i = 0; i < length; i++) if (this.#digests[start + i] !== digest[i]) return false;
    return true;
  }

  #place(commit: number): void {
    if (this.#count * 2 > this.#slots.length) {
      this.#reslot();
      return;
    }
    const mask = this.#slots.length - 1;
    let slot = hashOf(this.#digests, commit * 32) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = commit + 1;
  }

  #reslot(): void {
    let size = 16;
    while (size < this.#count * 4) size *= 2;
    const slots = new Int32Array(size);
    const mask = size - 1;
    for (let commit = 0; commit < this.#count; commit++) {
      let slot = hashOf(this.#digests, commit * 32) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = commit + 1;
    }
    this.#slots = slots;
  }

  #grow(capacity: number): void {
    this.#digests = grown(this.#digests, new Uint8Array(capacity * 32));
    this.#times = grown(this.#times, new Float64Array(capacity));
    this.#segments = grown(this.#segments, new Uint32Array(capacity));
    this.#offsets = grown(this.#offsets, new Uint32Array(capacity));
    this.#lengths = grown(this.#lengths, new Uint32Array(capacity));
    this.#writers = grown(this.#writers, new Uint32Array(capacity));
    this.#sequences = grown(this.#sequences, new Uint32Array(capacity));
    this.#parents = grown(this.#parents, new Int32Array(capacity));
  }
}

export interface CommitTableDump {
  readonly count: number;
  readonly digests: Uint8Array<ArrayBuffer>;
  readonly times: Float64Array<ArrayBuffer>;
  readonly segments: Uint32Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly lengths: Uint32Array<ArrayBuffer>;
  readonly writers: Uint32Array<ArrayBuffer>;
  readonly sequences: Uint32Array<ArrayBuffer>;
  readonly writerIds: Uint8Array[];
  readonly parents: Int32Array<ArrayBuffer>;
  readonly parentLists: number[][];
}

/** A set of commit numbers, one bit each. */
export class CommitSet {
  readonly #bits: Uint8Array;

  constructor(size: number) {
    this.#bits = new Uint8Array((size + 7) >> 3);
  }

  has(commit: number): boolean {
    return (this.#bits[commit >> 3]! & (1 << (commit & 7))) !== 0;
  }

  add(commit: number): void {
    this.#bits[commit >> 3]! |= 1 << (commit & 7);
  }
}

/** Where a commit is that has no bytes here: lost, or about to be written. */
export const NOWHERE: Location = { segment: 0, offset: 0, length: 0 };

/** Where a commit is whose bytes were dropped. */
export const PRUNED: Location = { segment: 0xffff_ffff, offset: 0, length: 0 };

/** The dot of a commit that nobody has seen. */
export const NO_DOT: Dot = { writer: new Uint8Array(0), sequence: 0 };

const NO_PARENT = -1;

/** Digests are uniform already: four of their bytes are the hash. */
function hashOf(digest: Uint8Array, at: number): number {
  return (
    (digest[at]! | (digest[at + 1]! << 8) | (digest[at + 2]! << 16) | (digest[at + 3]! << 24)) >>> 0
  );
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
