import type { CID } from 'multiformats/cid';
import type { Block } from '../blocks.ts';
import { StorageError } from '../errors.ts';
import type { Log } from '../storage/log.ts';
import { throwLater } from '../tell.ts';
import type { Turns } from '../turns.ts';
import { kindOf } from './block-kind.ts';
import type { Applied, CommitStore } from './commit-store.ts';
import type { Documents } from './documents.ts';
import { ParkedCommits } from './parked.ts';
import { Receiver, type Received, type Rejected } from './receiver.ts';
import { runsBy } from './runs-by.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;

/** When the storage failed under parked commits, they are tried again after this time. */
const RETRY_MS = 60_000;
const MAX_REJECTED = 100;

/** The ledger that things come to. */
interface Owner {
  readonly log: Log;
  readonly parkedLog: Log;
  readonly store: CommitStore;
  readonly turns: Turns;
  readonly options: {
    readonly maxParkedBytes: number;
    readonly futureToleranceMs: number;
    readonly now: () => number;
  };
  readonly documents: () => Documents;
  readonly isOpen: () => boolean;
  /** Merges the whole log anew. */
  readonly rebuild: () => Promise<void>;
  /** Brings commits that are in the log into the documents, unless they are, and tells of them. */
  readonly merge: (applied: readonly Applied[], merged: boolean) => void;
  /** Told of the documents that a snapshot has changed, and of its blocks. */
  readonly snapshotMerged: (
    ids: ReadonlySet<string>,
    cids: readonly CID[],
    origin?: object,
  ) => void;
}

/** Merges what comes to a ledger from elsewhere; what was parked, when its time has come. */
export class Intake {
  readonly #owner: Owner;
  readonly #receiver: Receiver;
  readonly #rejected: Rejected[] = [];
  #dueTimer: ReturnType<typeof setTimeout> | undefined;
  /** The wall clock at which all parked commits whose time had come were applied. */
  #judgedMs = Infinity;
  /** The storage failed while parked commits were applied, and they were not tried again since. */
  #isRetryDue = false;

  /** Begins with what an earlier run has parked. The caller keeps writes away. @throws StorageError */
  static async open(owner: Owner): Promise<Intake> {
    const { log, parkedLog, store, options } = owner;
    const parked = await ParkedCommits.open(
      parkedLog,
      options.maxParkedBytes,
      (digest) => store.table.find(digest) >= 0,
    );
    store.parked = parked;
    const receiver = new Receiver(log, store, parked, options.futureToleranceMs);
    const intake = new Intake(owner, receiver);
    await intake.#applyDue();
    return intake;
  }

  private constructor(owner: Owner, receiver: Receiver) {
    this.#owner = owner;
    this.#receiver = receiver;
  }

  /** The last of those that waited for parents and turned out to be impossible. */
  get rejected(): readonly Rejected[] {
    return this.#rejected;
  }

  /**
   * Stores and merges blocks whose hashes were checked. The caller keeps writes away.
   * @throws BlockError for the first that cannot be; those before it stay. StorageError
   */
  async receive(blocks: readonly Block[], origin?: object): Promise<void> {
    const nowMs = this.#owner.options.now();
    for (const { key: kind, run } of runsBy(blocks, ({ bytes }) => kindOf(bytes))) {
      if (kind === 'commit') {
        await this.#take(await this.#receiver.receive(run, nowMs, origin), nowMs);
      } else if (kind === 'page') {
        await this.#receiver.addPages(run);
      } else {
        for (const root of run) await this.#receiveRoot(root, nowMs, origin);
      }
    }
  }

  stop(): void {
    clearTimeout(this.#dueTimer);
  }

  async #receiveRoot(root: Block, nowMs: number, origin?: object): Promise<void> {
    const brought = await this.#receiver.addRoot(root, this.#owner.documents());
    if (brought === undefined) return;
    this.#owner.snapshotMerged(new Set(brought.ids), brought.cids, origin);
    await this.#take(await this.#receiver.receiveDue(nowMs), nowMs);
  }

  async #take({ applied, rejected, healed, error }: Received, nowMs: number): Promise<void> {
    this.#rejected.push(...rejected);
    this.#rejected.splice(0, this.#rejected.length - MAX_REJECTED);
    if (healed) await this.#owner.rebuild();
    this.#owner.merge(applied, healed);
    this.#awaitDue(nowMs, error instanceof StorageError);
    if (error !== undefined) throw error;
  }

  /** Applies the parked commits that can be; a storage that fails is tried again later. */
  async #applyDue(): Promise<void> {
    this.#isRetryDue = false;
    if (!this.#owner.isOpen() || this.#owner.store.parkedCount === 0) return;
    const nowMs = this.#owner.options.now();
    try {
      const due = await this.#receiver.receiveDue(nowMs);
      if (due.error === undefined) this.#judgedMs = nowMs;
      await this.#take(due, nowMs);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /**
   * Sets the timer for the parked commits that were too early when they were last judged: since then
   * the wall clock may have jumped over the time of some, as it does after a machine has slept. Those
   * that a storage did not take are tried again once something else was stored.
   */
  #awaitDue(nowMs: number, failed: boolean): void {
    clearTimeout(this.#dueTimer);
    this.#judgedMs = Math.min(this.#judgedMs, nowMs);
    let dueMs = this.#receiver.nextDueMs(this.#judgedMs);
    if (failed) dueMs = nowMs + RETRY_MS;
    else if (this.#isRetryDue) dueMs = nowMs;
    this.#isRetryDue ||= failed;
    if (dueMs === Infinity || !this.#owner.isOpen()) return;
    const delayMs = Math.min(Math.max(0, dueMs - this.#owner.options.now()) + 1, MAX_TIMER_MS);
    this.#dueTimer = setTimeout(() => {
      this.#owner.turns.run(() => this.#applyDue()).catch(throwLater);
    }, delayMs);
    (this.#dueTimer as { unref?: () => void }).unref?.();
  }
}
