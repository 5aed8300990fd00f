import type { CID } from 'multiformats/cid';
import { LedgerError, StorageError } from '../../src/errors.ts';
import { CausalContext } from '../../src/ledger/context.ts';
import { type LocalLedger, openLocalLedger } from '../../src/ledger/local-ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { kindOf } from '../../src/ledger/block-kind.ts';
import { blocksOf, START_MS } from '../support/history.ts';
import type { Random } from '../support/random.ts';
import type { CommitRecord } from './commit-record.ts';
import { Disk, SimulatedPlace } from './disk.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How a peer's machine is built; it stays so over all restarts. */
export interface PeerOptions extends Pick<
  LedgerOptions,
  'durability' | 'segmentBytes' | 'recentBytes' | 'history'
> {
  readonly cacheBytes: number;
  /** The longest time of a disk operation; 0 for a disk that answers at once. */
  readonly slowestDiskMs: number;
}

/** One run of a peer's process, from opening the ledger to its end. */
export interface Run {
  readonly place: SimulatedPlace;
  /** Undefined until the ledger is open. */
  ledger?: LocalLedger;
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
  /** The commits that this peer was known to have merged when its ledger was last looked at. */
  #applied: ReadonlySet<string> = new Set();
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

  /** The commits that this peer has merged, whether it still holds them or not, open or not. */
  get applied(): ReadonlySet<string> {
    if (this.ledger !== undefined) this.#applied = this.#mergedIn(this.ledger);
    return this.#applied;
  }

  /** The present run, if there is one; its ledger may still be opening. */
  get run(): Run | undefined {
    return this.#run;
  }

  /** The ledger, if it is open. */
  get ledger(): LocalLedger | undefined {
    return this.#run?.ledger;
  }

  /** True until its first start. */
  get isNew(): boolean {
    return !this.#hasWriter;
  }

  get isDown(): boolean {
    return this.#run === undefined;
  }

  get disk(): Disk {
    return this.#disk;
  }

  /**
   * Starts the process; afterwards the ledger is open, unless the process was killed meanwhile.
   * @param snapshot what a ledger that holds nothing begins with
   */
  async open(snapshot?: Uint8Array): Promise<void> {
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
    const { durability, segmentBytes, cacheBytes, recentBytes, history } = this.options;
    let ledger: LocalLedger;
    try {
      ledger = await openLocalLedger(this.name, {
        storage: place,
        durability: durability!,
        segmentBytes: segmentBytes!,
        cacheBytes,
        recentBytes: recentBytes!,
        history: history!,
        ...(snapshot === undefined ? {} : { snapshot }),
        now: () => Math.floor(START_MS + this.#clock.nowMs + this.skewMs),
      });
    } catch (error) {
      if (!(error instanceof StorageError && place.hasFailed)) throw error;
      this.#end(run);
      return;
    }
    if (run.over) return;
    ledger.replica.watch((cids) => this.#note(run, ledger, cids));
    for (const block of await blocksOf(ledger)) {
      this.#record.add(block.cid.toString(), block.bytes);
    }
    if (run.over) return;
    const merged = this.#mergedIn(ledger);
    this.#accountFor([...this.#applied].filter((key) => !merged.has(key)));
    this.#applied = merged;
    run.ledger = ledger;
  }

  /** Closes the ledger, then ends the process. */
  async close(): Promise<void> {
    const run = this.#run;
    if (run?.ledger === undefined) return;
    const { ledger } = run;
    this.#applied = this.#mergedIn(ledger);
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
    if (run.ledger !== undefined) this.#applied = this.#mergedIn(run.ledger);
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

  #note(run: Run, ledger: LocalLedger, cids: readonly CID[]): void {
    for (const cid of cids) {
      const key = cid.toString();
      if (this.#record.has(key)) continue;
      const bytes = this.#bytesOf(run, ledger, cid);
      const isSnapshot = bytes !== undefined && kindOf(bytes) !== 'commit';
      if (!isSnapshot) this.#record.add(key, bytes);
    }
  }

  #mergedIn(ledger: LocalLedger): Set<string> {
    return this.#record.coveredBy(CausalContext.decode(ledger.replica.history.context()));
  }

  #bytesOf(run: Run, ledger: LocalLedger, cid: CID): Uint8Array | undefined {
    try {
      return run.place.watched(() => ledger.replica.getBlock(cid)) as Uint8Array;
    } catch (error) {
      // A ledger that is being closed gives nothing away: the next opening tells.
      if (error instanceof LedgerError && error.code === 'closed') return undefined;
      throw error;
    }
  }
}
