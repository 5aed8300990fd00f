import type { MaybePromise } from '../../src/blocks.ts';
import { StorageError } from '../../src/errors.ts';
import { MemoryPlace, type MemoryFiles } from '../../src/storage/memory.ts';
import type { Place } from '../../src/storage/place.ts';
import type { Random } from '../support/random.ts';
import type { VirtualClock } from './virtual-clock.ts';

type Change =
  | { readonly kind: 'append'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'replace'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly name: string; readonly size: number }
  | { readonly kind: 'remove'; readonly name: string };

/**
 * What outlives a process: the files of one ledger.
 *
 * A killed process loses nothing that it has handed over. The loss of power loses the latest changes,
 * as many as were not synced and chance wants, the last of them maybe in part: the model of a file
 * system that writes in order.
 */
export class Disk {
  #files: MemoryFiles = new Map();
  #journal: Change[] = [];
  #synced = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  get files(): MemoryFiles {
    return this.#files;
  }

  apply(change: Change): void {
    this.#journal.push(change);
    applyTo(new MemoryPlace(this.#files), change);
  }

  /** Like `apply`, but the process ended meanwhile: nothing of it is done, or all, or a beginning. */
  applyPartly(change: Change): void {
    if (change.kind === 'append') {
      const length = this.#random.below(change.bytes.length + 1);
      this.apply({ ...change, bytes: change.bytes.slice(0, length) });
    } else if (this.#random.oneIn(2)) this.apply(change);
  }

  sync(): void {
    this.#synced = this.#journal.length;
  }

  losePower(): void {
    const kept = this.#synced + this.#random.below(this.#journal.length - this.#synced + 1);
    const cut = this.#journal[kept];
    this.#journal = this.#journal.slice(0, kept);
    this.#files = new Map();
    const place = new MemoryPlace(this.#files);
    for (const change of this.#journal) applyTo(place, change);
    if (cut !== undefined) this.applyPartly(cut);
    this.#synced = this.#journal.length;
  }
}

function applyTo(place: MemoryPlace, change: Change): void {
  switch (change.kind) {
    case 'append':
      return place.append(change.name, change.bytes);
    case 'replace':
      return place.replace(change.name, change.bytes);
    case 'truncate':
      return place.truncate(change.name, change.size);
    case 'remove':
      return place.remove(change.name);
  }
}

export interface ProcessOptions {
  /** The longest time that an operation takes; 0 answers at once, as files do in Node. */
  readonly slowestMs: number;
  /** Called when the death that `dieIn` asked for has come. */
  readonly died: () => void;
}

/** A disk as one process sees it, until that process is killed. What a dead one asks is never answered. */
export class SimulatedPlace implements Place {
  readonly #disk: Disk;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #options: ProcessOptions;
  readonly #view: () => MemoryPlace;
  readonly #underWay = new Set<Change>();
  #alive = true;
  #isWatched = false;
  #failuresLeft = 0;
  /** Whether anything may have failed so far. */
  hasFailed = false;
  /** How many more changes are made before one is cut short and the process is dead. */
  #changesLeft = Infinity;

  constructor(disk: Disk, clock: VirtualClock, random: Random, options: ProcessOptions) {
    this.#disk = disk;
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
    this.#view = () => new MemoryPlace(disk.files);
  }

  /** Lets the process die within one of its next changes. */
  dieIn(changes: number): void {
    this.#changesLeft = changes;
  }

  /** Lets so many of the next changes and syncs fail, as a full disk does: a part may be written. */
  failFor(changes: number): void {
    this.#failuresLeft = changes;
    this.hasFailed ||= changes > 0;
  }

  /** What the process reads while it is watched, it reads at once. */
  watched<T>(read: () => T): T {
    this.#isWatched = true;
    try {
      return read();
    } finally {
      this.#isWatched = false;
    }
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const change of this.#underWay) this.#disk.applyPartly(change);
  }

  list(): MaybePromise<{ name: string; size: number }[]> {
    return this.#answer(() => this.#view().list());
  }

  read(name: string, offset: number, length: number): MaybePromise<Uint8Array> {
    return this.#answer(() => this.#view().read(name, offset, length));
  }

  append(name: string, bytes: Uint8Array): MaybePromise<void> {
    return this.#change({ kind: 'append', name, bytes: bytes.slice() });
  }

  truncate(name: string, size: number): MaybePromise<void> {
    return this.#change({ kind: 'truncate', name, size });
  }

  sync(): MaybePromise<void> {
    return this.#answer(() => {
      if (this.#fails()) throw new StorageError('io', 'the simulated disk fails');
      this.#disk.sync();
    });
  }

  replace(name: string, bytes: Uint8Array): MaybePromise<void> {
    return this.#change({ kind: 'replace', name, bytes: bytes.slice() });
  }

  remove(name: string): MaybePromise<void> {
    return this.#change({ kind: 'remove', name });
  }

  close(): void {
    this.#alive = false;
  }

  destroy(): void {
    this.#alive = false;
    for (const { name } of this.#view().list()) this.#disk.apply({ kind: 'remove', name });
  }

  #change(change: Change): MaybePromise<void> {
    if (!this.#alive) return never();
    if (this.#changesLeft-- <= 0) {
      this.#underWay.add(change);
      this.kill();
      this.#options.died();
      return never();
    }
    this.#underWay.add(change);
    return this.#answer(() => {
      this.#underWay.delete(change);
      if (this.#fails()) {
        if (change.kind === 'append') this.#disk.applyPartly(change);
        throw new StorageError('full', 'the simulated disk is full');
      }
      this.#disk.apply(change);
      if (change.kind === 'replace') this.#disk.sync();
    });
  }

  #fails(): boolean {
    return this.#failuresLeft > 0 && this.#failuresLeft-- > 0;
  }

  #answer<T>(result: () => T): MaybePromise<T> {
    if (!this.#alive) return never();
    const { slowestMs } = this.#options;
    if (slowestMs === 0 || this.#isWatched) return result();
    return new Promise((resolve, reject) => {
      this.#clock.after(this.#random.below(slowestMs + 1), () => {
        if (!this.#alive) return;
        try {
          resolve(result());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
