import type { CID } from 'multiformats/cid';
import { LedgerError, StorageError } from '../../src/errors.ts';
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import type { Random } from '../support/random.ts';
import type { CommitRecord } from './commit-record.ts';
import { Disk, SimulatedPlace } from './disk.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How a peer's machine is built; it stays so over all restarts. */
export interface PeerOptions extends Pick<LedgerOptions, 'durability' | 'segmentBytes'> {
  readonly cacheBytes: number;
  /** The longest time of a disk operation; 0 for a disk that answers at once. */
  readonly slowestDiskMs: number;
}

/** One run of a peer's process, from opening the ledger to its end. */
export interface Run {
  readonly place: SimulatedPlace;
  /** Undefined until the ledger is open. */
  ledger?: Ledger;
  over: boolean;
}

/** What a peer knows of the world around it. */
export interface Surroundings {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly record: CommitRecord;
  /** Called when a run has ended, however. */
  died(peer: SimulatedPeer, run: Run): void;
  isHeldElsewhere(peer: SimulatedPeer, key: string): boolean;
}

/** A ledger on a machine of its own, which can be killed, lose its power, and start again. */
export class SimulatedPeer {
  readonly name: string;
  readonly options: PeerOptions;
  /** How far the wall clock is ahead of the true time. */
  skewMs = 0;
  /** The commits that this peer is known to hold applied, by CID, open or not. */
  applied: Set<string> = new Set();
  readonly #died: (run: Run) => void;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #disk: Disk;
  readonly #record: CommitRecord;
  #run: Run | undefined;
  readonly #isHeldElsewhere: (key: string) => boolean;
  #hasWriter = false;
  #lostPower = false;

  constructor(name: string, options: PeerOptions, world: Surroundings) {
    this.name = name;
    this.options = options;
    this.#clock = world.clock;
    this.#random = world.random;
    this.#record = world.record;
    this.#disk = new Disk(world.random);
    this.#died = (run) => world.died(this, run);
    this.#isHeldElsewhere = (key) => world.isHeldElsewhere(this, key);
  }

  /** The present run, if there is one; its ledger may still be opening. */
  get run(): Run | undefined {
    return this.#run;
  }

  /** The ledger, if it is open. */
  get ledger(): Ledger | undefined {
    return this.#run?.ledger;
  }

  get isDown(): boolean {
    return this.#run === undefined;
  }

  get disk(): Disk {
    return this.#disk;
  }

  /** Starts the process; afterwards the ledger is open, unless the process was killed meanwhile. */
  async open(): Promise<void> {
    if (!this.#hasWriter) {
      this.#disk.apply({ kind: 'replace', name: 'writer', bytes: this.#random.bytes(8) });
      this.#disk.sync();
      this.#hasWriter = true;
    }
    const place = new SimulatedPlace(this.#disk, this.#clock, this.#random, {
      slowestMs: this.options.slowestDiskMs,
      died: () => this.#end(run),
    });
    const run: Run = { place, over: false };
    this.#run = run;
    const { durability, segmentBytes, cacheBytes } = this.options;
    let ledger: Ledger;
    try {
      ledger = await openLedger(this.name, {
        storage: place,
        durability: durability!,
        segmentBytes: segmentBytes!,
        cacheBytes,
        now: () => Math.floor(START_MS + this.#clock.nowMs + this.skewMs),
      });
    } catch (error) {
      if (!(error instanceof StorageError && place.hasFailed)) throw error;
      this.#end(run);
      return;
    }
    if (run.over) return;
    const held = new Set<string>();
    ledger.replica.watch((cids) => this.#note(run, ledger, cids, held));
    for (const block of await blocksOf(ledger)) {
      const key = block.cid.toString();
      this.#record.add(key, block.bytes);
      held.add(key);
    }
    if (run.over) return;
    this.#accountFor([...this.applied].filter((key) => !held.has(key)));
    this.applied = held;
    run.ledger = ledger;
  }

  /** Closes the ledger, then ends the process. */
  async close(): Promise<void> {
    const run = this.#run;
    if (run?.ledger === undefined) return;
    const { ledger } = run;
    delete run.ledger;
    try {
      await ledger.close();
    } finally {
      this.#end(run);
    }
  }

  kill(): void {
    if (this.#run === undefined) return;
    this.#run.place.kill();
    this.#end(this.#run);
  }

  losePower(): void {
    this.kill();
    this.#lostPower = true;
    this.#disk.losePower();
  }

  /** Forgets the saved index, as if it had never been written. */
  loseIndex(): void {
    if (this.#run === undefined) this.#disk.apply({ kind: 'remove', name: 'index' });
  }

  #end(run: Run): void {
    if (run.over) return;
    run.over = true;
    if (this.#run === run) this.#run = undefined;
    this.#died(run);
  }

  /** Only the loss of power may have taken commits, and only from who did not ask for syncs. */
  #accountFor(lost: readonly string[]): void {
    if (lost.length > 0 && !(this.#lostPower && this.options.durability === 'relaxed')) {
      throw new Error(`${this.name} has lost ${lost.length} commits of its own disk`);
    }
    this.#lostPower = false;
    for (const key of lost) if (!this.#isHeldElsewhere(key)) this.#record.forgive(key);
  }

  #note(run: Run, ledger: Ledger, cids: readonly CID[], held: Set<string>): void {
    for (const cid of cids) {
      const key = cid.toString();
      held.add(key);
      if (!this.#record.has(key)) this.#record.add(key, this.#bytesOf(run, ledger, cid));
    }
  }

  #bytesOf(run: Run, ledger: Ledger, cid: CID): Uint8Array | undefined {
    try {
      return run.place.watched(() => ledger.replica.getBlock(cid)) as Uint8Array;
    } catch (error) {
      // A ledger that is being closed gives nothing away: the next opening tells.
      if (error instanceof LedgerError && error.code === 'closed') return undefined;
      throw error;
    }
  }
}
