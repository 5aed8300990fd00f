import { LedgerError, StorageError } from '../errors.ts';
import type { Change, Clock } from '../ledger/ledger.ts';
import type { LocalLedger } from '../ledger/local-ledger.ts';
import type { LocalView } from '../ledger/view.ts';
import { throwLater } from '../tell.ts';
import { remember } from '../remember.ts';
import { type At, type Desk, perform } from './calls.ts';
import type { Answer, Call, LedgerState, News, Origin, Outcome, TabMessage } from './messages.ts';
import type { Origins } from './origins.ts';
import { Streams } from './streams.ts';

/** How many views of the past are kept for those who may read on in them. */
const MAX_VIEWS = 8;

/** What a leader asks of its tab. */
interface Host {
  readonly id: string;
  readonly origins: Origins;
  /** No other tab was ever heard. */
  readonly isAlone: boolean;
  /** To all tabs, and to one. */
  tell(message: TabMessage): void;
  tellTab(tab: string, message: TabMessage): void;
  changed(change: Change, news: readonly News[]): void;
  /** Tells all tabs who leads, where they may follow. */
  present(): void;
  /** The storage belongs to another. */
  overtaken(): void;
  destroyLedger(by: string): Promise<void>;
}

/** The tab that has the ledger: does what the others ask, and tells them of each change. */
export class Leader implements Desk {
  readonly ledger: LocalLedger;
  readonly epoch: number;
  readonly streams: Streams = new Streams();
  readonly #host: Host;
  readonly #views = new Map<string, LocalView>();
  readonly #unwatch: readonly (() => void)[];
  /** Answers to each tab that are sent at the end of this turn. */
  readonly #answers = new Map<string, Answer[]>();
  #news: News[] = [];
  #sequence = 0;
  /**
   * The clock of the last change that was told. That of the ledger may be ahead for a moment; who knew it
   * by then would never ask a next leader for the change between.
   */
  #told: Clock;
  #stopped = false;

  constructor(ledger: LocalLedger, epoch: number, host: Host) {
    this.ledger = ledger;
    this.epoch = epoch;
    this.#host = host;
    this.#told = ledger.clock;
    this.#unwatch = [
      // Watchers are told just before the listeners.
      ledger.replica.watch((cids, origin) => {
        const writers = host.isAlone ? undefined : cids.map((cid) => ledger.replica.writerOf(cid));
        this.#news.push({ cids, origin: origin as Origin | undefined, writers });
      }),
      ledger.subscribe((change) => this.#tell(change)),
      ledger.onRebuilt(() => this.#rebuilt()),
    ];
  }

  get state(): LedgerState {
    return stateOf(this.ledger, this.#told);
  }

  announce(): void {
    const { epoch } = this;
    const sequence = this.#sequence;
    const from = this.#host.id;
    this.#host.tell({ kind: 'leader', from, epoch, sequence, state: this.state });
  }

  /** Does what was called in one turn of another tab. */
  hear(from: string, calls: readonly Call[]): void {
    for (const { id, name, args } of calls) {
      this.#perform(name, args).then((outcome) => {
        if (outcome !== undefined) this.#answer(from, { id, outcome });
      }, throwLater);
    }
  }

  /** What is not answered by now never is: the next leader is asked again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const unwatch of this.#unwatch) unwatch();
    this.streams.endAll().catch(() => {});
  }

  // --- what calls are answered with ---

  view(at: At): LocalLedger | LocalView {
    if (at === undefined) return this.ledger;
    const key = at.join();
    const view = this.#views.get(key) ?? this.ledger.at(at);
    remember(this.#views, key, view, MAX_VIEWS);
    return view;
  }

  originOf(origin: Origin | undefined): Origin | undefined {
    return origin && this.#host.origins.canonical(origin);
  }

  destroy(by: string): Promise<void> {
    return this.#host.destroyLedger(by);
  }

  // --- inside ---

  /** Undefined for what the next leader is asked again. */
  async #perform(name: string, args: readonly unknown[]): Promise<Outcome | undefined> {
    try {
      return { value: await perform(this, name, args) };
    } catch (error) {
      if (isOvertaken(error)) this.#host.overtaken();
      const isClosed = error instanceof LedgerError && error.code === 'closed';
      return isClosed || isOvertaken(error) ? undefined : { error };
    }
  }

  #answer(to: string, answer: Answer): void {
    if (this.#stopped) return;
    const waiting = this.#answers.get(to);
    if (waiting !== undefined) {
      waiting.push(answer);
      return;
    }
    this.#answers.set(to, [answer]);
    queueMicrotask(() => {
      const answers = this.#answers.get(to)!;
      this.#answers.delete(to);
      if (this.#stopped) return;
      const { epoch, state } = this;
      const sequence = this.#sequence;
      this.#host.tellTab(to, { kind: 'answers', epoch, sequence, state, answers });
    });
  }

  /** The log was read anew: it may have lost commits that were told. */
  #rebuilt(): void {
    if (!this.ledger.replica.history.hasMerged(this.#told)) this.#told = this.ledger.clock;
    this.#host.present();
  }

  #tell(change: Change): void {
    const news = this.#news;
    this.#news = [];
    this.#sequence++;
    this.#told = change.clock;
    if (!this.#host.isAlone) {
      const { epoch, state } = this;
      const sequence = this.#sequence;
      this.#host.tell({ kind: 'change', epoch, sequence, change, news, state });
    }
    this.#host.changed(change, news);
  }
}

/** True for what a place says when another was opened in its stead. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'replaced';
}

function stateOf(ledger: LocalLedger, clock: Clock): LedgerState {
  const { replica, writer, recovery, persisted } = ledger;
  const { isFull, isPruned, commitCount, snapshotPays, snapshotSize } = replica.history;
  return {
    clock,
    count: ledger.documentCount,
    writer,
    recovery,
    persisted,
    replicaId: replica.id,
    blockCount: replica.blockCount,
    storedBytes: ledger.storedBytes,
    isFull,
    isPruned,
    commitCount,
    snapshotPays,
    snapshotSize,
    loosePages: replica.history.loosePages(),
  };
}
