import type { MaybePromise } from '../blocks.ts';
import { LedgerError } from '../errors.ts';
import type { Change, Clock } from '../ledger/ledger.ts';
import type { LocalLedger } from '../ledger/local-ledger.ts';
import { remember } from '../remember.ts';
import { throwLater } from '../tell.ts';
import { type Calls, type Missed, missed, perform } from './calls.ts';
import type { TabChannel, TabEnvironment } from './environment.ts';
import { isOvertaken, Leader } from './leader.ts';
import { Leadership } from './leadership.ts';
import {
  type Answer,
  type Call,
  decodeTabMessage,
  encodeTabMessage,
  type LedgerState,
  type News,
  type TabMessage,
} from './messages.ts';
import { Origins } from './origins.ts';

/*
 * One tab among those that share a ledger. One of them leads: it holds the Web Lock, has the storage
 * open, and does what the others call for. The others follow: they have nothing but the state that the
 * leader tells with each change.
 *
 * 1. The storage is fenced: of two tabs that believe that they lead, the earlier one cannot write.
 * 2. Epochs rise. What an earlier leader says after a later one is known is not heard.
 * 3. A call that the leader has not answered is put to the next one. What was answered is stored.
 * 4. An answer counts when the changes before it have been told here: a tab reads what it wrote.
 * 5. A frozen tab begins nothing: Chromium delivers messages to it, but no answers of its storage, and
 *    what it has begun there keeps others out. So it hears what was said when it goes on.
 * 6. A leader whom nobody has spoken to tells no changes. Changes are numbered: who follows and finds that
 *    some were skipped asks for them before it takes the answers that followed them.
 * 7. Time is counted in turns of asking, not by the clock: a tab that slept does not take that for
 *    silence of the others.
 */

/** Who asks so many times, and up to half as many more, and hears nothing, takes the lock. */
const PATIENCE = 5;
/** Until it is answered it asks twice as often before it takes the lock again, up to this. */
const MOST_PATIENCE = 60;

/** How many messages a frozen tab keeps for when it goes on. */
const MAX_FROZEN = 10_000;

/** How many channels to single tabs are kept open. */
const MAX_CHANNELS = 64;

export interface LedgerTabOptions {
  readonly name: string;
  /** The name of what the tabs share: a lock, a channel, and the beginning of each tab's own. */
  readonly channel: string;
  readonly environment: TabEnvironment;
  /** For this tab alone: fails where another has the ledger. */
  readonly exclusive: boolean;
  readonly open: () => Promise<LocalLedger>;
}

type Role =
  /** Nobody is known to lead. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'following'; readonly leader: string; sequence: number }
  | { readonly kind: 'leading'; readonly leader: Leader };

type Life =
  | { readonly kind: 'open' }
  /** What was called for before is still done. */
  | { readonly kind: 'closing'; readonly error: LedgerError }
  | { readonly kind: 'closed'; readonly error: LedgerError };

interface PendingCall extends Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Listener = (change: Change, news: readonly News[]) => void;

export class LedgerTab {
  readonly id: string = crypto.randomUUID();
  readonly origins: Origins = new Origins(this.id);
  readonly #options: LedgerTabOptions;
  readonly #leadership: Leadership;
  readonly #common: TabChannel;
  readonly #own: TabChannel;
  /** To the tabs that were written to last. */
  readonly #channels = new Map<string, TabChannel>();
  readonly #listeners = new Set<Listener>();
  readonly #closedListeners = new Set<() => void>();
  readonly #calls = new Map<number, PendingCall>();
  #outgoing: Call[] = [];
  /** Answers that came before the changes that they tell of. */
  #early: { readonly sequence: number; readonly answers: readonly Answer[] }[] = [];
  #role: Role = { kind: 'waiting' };
  #life: Life = { kind: 'open' };
  /** The last state that was known while this tab did not lead. */
  #state: LedgerState | undefined;
  /** The last clock of an earlier leader, until it is told here what has come since. */
  #behind: Clock | undefined;
  /** Until changes that were skipped are told here: what was told before them. */
  #gap: { readonly sequence: number; readonly clock: Clock; asked: number } | undefined;
  #epoch = 0;
  #callCount = 0;
  /** How many calls are being done here. */
  #running = 0;
  #isAlone = true;
  #holdsLock = false;
  /** Why this tab has no storage to lead with. */
  #cannotLead: LedgerError | undefined;
  /** What was heard while this tab is frozen. */
  #frozen: unknown[] | undefined;
  readonly #unwatchFreezing: () => void;
  #unheard = 0;
  #patience = patience();
  #timer: ReturnType<typeof setInterval> | undefined;
  #endTerm: () => void = () => {};
  #onSettled: () => void = () => {};
  /** Until this tab leads or follows for the first time. */
  #begun: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #closing: Promise<void> | undefined;

  /** Joins the tabs that share a ledger. @throws as `openLedger` */
  static async join(options: LedgerTabOptions): Promise<LedgerTab> {
    const tab = new LedgerTab(options);
    await new Promise<void>((resolve, reject) => {
      tab.#begun = { resolve, reject };
    });
    tab.#begun = undefined;
    return tab;
  }

  private constructor(options: LedgerTabOptions) {
    const { channel, environment, exclusive } = options;
    this.#options = options;
    this.#common = environment.openChannel(channel, (data) => this.#hear(data));
    this.#own = environment.openChannel(`${channel}:${this.id}`, (data) => this.#hear(data));
    this.#unwatchFreezing = environment.watchFreezing((frozen) => this.#freeze(frozen));
    this.#leadership = new Leadership(environment.locks, {
      name: channel,
      lead: (lost) => this.#lead(lost),
      ...(exclusive ? { ifTaken: () => this.#fail(this.#locked()) } : {}),
    });
    this.#wait();
  }

  // --- for the ledger of this tab ---

  get name(): string {
    return this.#options.name;
  }

  get environment(): TabEnvironment {
    return this.#options.environment;
  }

  /** The ledger itself, where this tab leads. */
  get ledger(): LocalLedger | undefined {
    return this.#role.kind === 'leading' ? this.#role.leader.ledger : undefined;
  }

  /** Where another tab leads: as it last told. */
  get state(): LedgerState {
    return this.#state!;
  }

  get clock(): Clock {
    return (this.ledger ?? this.state).clock;
  }

  /** @throws LedgerError `closed` */
  checkOpen(): void {
    if (this.#life.kind !== 'open') throw this.#life.error;
  }

  /** Has it done by whoever leads, now or when somebody does. At once where that is this tab. */
  call<N extends keyof Calls>(
    name: N,
    ...args: Parameters<Calls[N]>
  ): MaybePromise<ReturnType<Calls[N]>> {
    this.checkOpen();
    return this.#call(name, args) as MaybePromise<ReturnType<Calls[N]>>;
  }

  /** Tells of each change, whoever leads; returns the function that ends this. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls the listener when this tab has the ledger no more. */
  onClosed(listener: () => void): void {
    this.#closedListeners.add(listener);
  }

  /** Waits for what was called for, and leaves the others. @throws StorageError */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async destroy(): Promise<void> {
    this.checkOpen();
    await this.call('destroy', this.id);
    this.#closing ??= this.#leave('was destroyed');
    await this.#closing;
  }

  // --- for the leader, where it is this tab ---

  get isAlone(): boolean {
    return this.#isAlone;
  }

  tell(message: TabMessage): void {
    if (this.#life.kind !== 'closed') this.#common.post(encodeTabMessage(message));
  }

  tellTab(tab: string, message: TabMessage): void {
    if (this.#life.kind === 'closed') return;
    const { environment } = this.#options;
    const channel =
      this.#channels.get(tab) ??
      environment.openChannel(`${this.#options.channel}:${tab}`, () => {});
    remember(this.#channels, tab, channel, MAX_CHANNELS)?.close();
    channel.post(encodeTabMessage(message));
  }

  changed(change: Change, news: readonly News[]): void {
    for (const listener of this.#listeners) listener(change, news);
  }

  /** Answers who asks for the leader, or would take the lock of a tab that does not answer. */
  present(): void {
    if (!this.#holdsLock || this.#life.kind === 'closed') return;
    if (this.#role.kind !== 'leading' || this.#life.kind !== 'open') this.tell({ kind: 'busy' });
    else if (this.#options.exclusive) this.tell({ kind: 'locked' });
    else this.#role.leader.announce();
  }

  /** Another tab has the storage: what this one has not stored, it asks of that one. */
  overtaken(): void {
    const role = this.#role;
    if (role.kind !== 'leading' || this.#life.kind === 'closed') return;
    this.#state = role.leader.state;
    role.leader.stop();
    this.#role = { kind: 'waiting' };
    this.#endTerm();
    this.#wait();
  }

  /** All other tabs but the one that wants it hear of it before anything is gone. */
  async destroyLedger(by: string): Promise<void> {
    const what = by === this.id ? 'was destroyed' : 'was destroyed in another tab';
    this.#life = { kind: 'closing', error: this.#closedError(what) };
    this.tell({ kind: 'destroyed', by });
    await this.ledger?.destroy();
    // The answer goes out before this tab ends, too.
    setTimeout(() => this.#leaveBehind(what));
  }

  // --- leading ---

  async #lead(lost: AbortSignal): Promise<boolean> {
    const term = new Promise<void>((resolve) => {
      this.#endTerm = resolve;
    });
    this.#holdsLock = true;
    this.tell({ kind: 'busy' });
    let ledger: LocalLedger | undefined;
    try {
      ledger = await this.#options.open();
      const known = this.#toldHere;
      const news = known && (await missed(ledger, known));
      if (lost.aborted || this.#life.kind === 'closed') return true;
      lost.addEventListener('abort', () => this.overtaken());
      this.#begin(ledger, news);
      await term;
      return true;
    } catch (error) {
      this.#openingFailed(error);
      return false;
    } finally {
      // One that was overtaken cannot be closed in order, and others were closed before.
      await ledger?.close().catch(() => {});
      this.#holdsLock = false;
    }
  }

  #begin(ledger: LocalLedger, news: Missed | undefined): void {
    this.#epoch = Math.max(Date.now(), this.#epoch + 1);
    const leader = new Leader(ledger, this.#epoch, this);
    this.#role = { kind: 'leading', leader };
    this.#early = [];
    this.#gap = undefined;
    this.present();
    this.#begun?.resolve();
    this.#catchUpWith(news);
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { name, args, resolve, reject } of calls) {
      new Promise((done) => done(this.#call(name, args))).then(resolve, reject);
    }
    this.#settle();
  }

  #openingFailed(error: unknown): void {
    if (error instanceof LedgerError && error.code === 'no-storage') {
      // Here nobody can lead, but another may: a worker has storage that its page has not.
      this.#cannotLead = error;
      this.#leadership.giveUp().catch(throwLater);
    } else if (this.#begun !== undefined) {
      this.#fail(error);
    } else {
      for (const { reject } of this.#calls.values()) reject(error);
      this.#calls.clear();
      this.#settle();
    }
  }

  // --- following ---

  #hear(data: unknown): void {
    if (this.#frozen !== undefined) {
      if (this.#frozen.length <= MAX_FROZEN) this.#frozen.push(data);
      return;
    }
    const message = decodeTabMessage(data);
    if (message === undefined || this.#life.kind === 'closed') return;
    this.#isAlone = false;
    if (message === 'other-version') {
      // Whoever came later gives way. It knows by our answer, whatever that is.
      if (this.#holdsLock) this.tell({ kind: 'busy' });
      else if (this.#state === undefined) this.#fail(this.#otherVersion());
      return;
    }
    switch (message.kind) {
      case 'hello':
        // Timers of a frozen tab stand still, in browsers that do not tell when they freeze one too.
        setTimeout(() => this.present());
        return;
      case 'busy':
        this.#unheard = 0;
        return;
      case 'locked':
        if (this.#begun !== undefined && !this.#holdsLock) this.#fail(this.#locked());
        return;
      case 'leader':
        return this.#follow(message);
      case 'change':
        return this.#hearChange(message);
      case 'calls':
        if (this.#role.kind === 'leading') this.#role.leader.hear(message.from, message.calls);
        return;
      case 'answers':
        return this.#hearAnswers(message);
      case 'destroyed':
        if (message.by === this.id || this.#state === undefined || this.ledger !== undefined)
          return;
        return this.#leaveBehind('was destroyed in another tab');
    }
  }

  #freeze(frozen: boolean): void {
    const heard = this.#frozen ?? [];
    this.#frozen = frozen ? heard : undefined;
    if (frozen) return;
    if (heard.length <= MAX_FROZEN) for (const data of heard) this.#hear(data);
    else this.#beginAnew();
  }

  /** What was said meanwhile is lost: this tab follows as one that has just heard of its leader. */
  #beginAnew(): void {
    this.overtaken();
    this.#behind = this.#toldHere;
    this.#role = { kind: 'waiting' };
    this.#wait();
  }

  /** The clock of what was told here; that of the state may be ahead. */
  get #toldHere(): Clock | undefined {
    return this.#behind ?? this.#gap?.clock ?? this.#state?.clock;
  }

  #follow({ from, epoch, sequence, state }: TabMessage & { kind: 'leader' }): void {
    if (epoch < this.#epoch) return;
    this.overtaken();
    if (epoch > this.#epoch) this.#behind = this.#toldHere;
    const isNew = epoch > this.#epoch || this.#role.kind !== 'following';
    if (isNew) this.#gap = undefined;
    else this.#askForSkipped(sequence);
    this.#unheard = 0;
    this.#epoch = epoch;
    this.#role = { kind: 'following', leader: from, sequence };
    this.#state = state;
    this.#answerEarly();
    if (!isNew) return;
    this.#early = [];
    // It may not have heard of this tab yet.
    this.tell({ kind: 'hello' });
    this.#begun?.resolve();
    if (this.#behind === undefined) this.#sendAll();
    else this.#catchUp(this.#behind);
  }

  /** Asks for what has changed since the leader before was last heard; calls wait until it is told. */
  #catchUp(behind: Clock): void {
    const epoch = this.#epoch;
    const caughtUp = (news?: Missed): void => {
      if (epoch !== this.#epoch || this.#role.kind !== 'following') return;
      this.#catchUpWith(news);
      this.#sendAll();
    };
    const promise = this.#callLater('missed', [behind], (call) => this.#post([call]));
    promise.then(caughtUp as (news: unknown) => void, () => caughtUp());
  }

  #catchUpWith(news: Missed | undefined): void {
    this.#behind = undefined;
    if (news !== undefined) this.#tellMissed(news);
  }

  /** Asks for the changes up to this number that were not told here; answers to calls wait for them. */
  #askForSkipped(upTo: number): void {
    const role = this.#role;
    if (role.kind !== 'following' || upTo <= role.sequence) return;
    const { clock } = this.state;
    const gap = (this.#gap ??= { sequence: role.sequence, clock, asked: 0 });
    const told = (news?: Missed): void => {
      if (news !== undefined) this.#tellMissed(news);
      if (--gap.asked > 0 || this.#gap !== gap) return;
      this.#gap = undefined;
      this.#answerEarly();
    };
    gap.asked++;
    const promise = this.#callLater('missed', [clock]);
    promise.then(told as (news: unknown) => void, () => told());
  }

  #tellMissed({ ids, cids, clock }: Missed): void {
    if (cids.length > 0) this.changed({ ids, clock, origin: 'remote' }, [{ cids }]);
  }

  #hearChange({ epoch, sequence, change, news, state }: TabMessage & { kind: 'change' }): void {
    if (epoch !== this.#epoch || this.#role.kind !== 'following') return;
    // One that comes late was asked for.
    if (sequence <= this.#role.sequence) return;
    this.#askForSkipped(sequence - 1);
    this.#role.sequence = sequence;
    this.#state = state;
    this.changed(change, news);
    this.#answerEarly();
  }

  #hearAnswers(message: TabMessage & { kind: 'answers' }): void {
    if (message.epoch !== this.#epoch || this.#role.kind !== 'following') return;
    this.#patience = patience();
    const { sequence, state, answers } = message;
    if (sequence === this.#role.sequence) this.#state = state;
    // What was missed is told by the answer, for which others wait.
    this.#take(answers.filter(({ id }) => this.#calls.get(id)?.name === 'missed'));
    this.#early.push({ sequence, answers });
    this.#answerEarly();
  }

  #answerEarly(): void {
    const role = this.#role;
    if (role.kind !== 'following') return;
    const told = this.#gap?.sequence ?? role.sequence;
    const due = this.#early.filter(({ sequence }) => sequence <= told);
    this.#early = this.#early.filter(({ sequence }) => sequence > told);
    for (const { answers } of due) this.#take(answers);
    this.#settle();
  }

  #take(answers: readonly Answer[]): void {
    for (const { id, outcome } of answers) {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if ('error' in outcome) call?.reject(outcome.error);
      else call?.resolve(outcome.value);
    }
  }

  // --- calls ---

  #call(name: string, args: readonly unknown[]): unknown {
    const role = this.#role;
    if (role.kind !== 'leading') return this.#callLater(name, args);
    // What a ledger says that is not the one any more is not the answer.
    const isOver = (): boolean => this.#role !== role && this.#life.kind !== 'closed';
    const failed = (error: unknown): Promise<unknown> => {
      if (isOvertaken(error)) this.overtaken();
      if (isOver()) return this.#callLater(name, args);
      throw error;
    };
    try {
      const result = perform(role.leader, name, args);
      if (!(result instanceof Promise)) return result;
      const answer = result.then(
        (value) => (isOver() ? this.#callLater(name, args) : value),
        failed,
      );
      const settled = (): void => {
        this.#running--;
        this.#settle();
      };
      this.#running++;
      answer.then(settled, settled);
      return answer;
    } catch (error) {
      return failed(error);
    }
  }

  #callLater(
    name: string,
    args: readonly unknown[],
    send: (call: Call) => void = (call) => this.#sendSoon(call),
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#callCount;
      const call = { id, name, args, resolve, reject };
      this.#calls.set(id, call);
      this.#keepAsking();
      send(call);
    });
  }

  #sendSoon(call: Call): void {
    this.#outgoing.push(call);
    if (this.#outgoing.length > 1) return;
    queueMicrotask(() => {
      const calls = this.#outgoing;
      this.#outgoing = [];
      if (this.#behind === undefined) this.#send(calls);
    });
  }

  #sendAll(): void {
    this.#send([...this.#calls.values()]);
  }

  #send(calls: readonly Call[]): void {
    try {
      this.#post(calls);
    } catch {
      // One of them has something that cannot be sent.
      for (const call of calls) {
        try {
          this.#post([call]);
        } catch (error) {
          this.#calls.get(call.id)?.reject(error);
          this.#calls.delete(call.id);
        }
      }
    }
  }

  /** To the leader, if there is one: the next one is sent all that is not answered. */
  #post(calls: readonly Call[]): void {
    if (calls.length === 0 || this.#role.kind !== 'following') return;
    const plain = calls.map(({ id, name, args }) => ({ id, name, args }));
    this.tellTab(this.#role.leader, { kind: 'calls', from: this.id, calls: plain });
  }

  // --- asking who leads ---

  #wait(): void {
    this.#unheard = 0;
    this.tell({ kind: 'hello' });
    this.#keepAsking();
  }

  #keepAsking(): void {
    this.#timer ??= setInterval(() => this.#ask(), this.#options.environment.askAgainMs);
  }

  #ask(): void {
    const isServed = this.#role.kind === 'following' && this.#calls.size === 0;
    if (isServed || this.#role.kind === 'leading' || this.#life.kind === 'closed') {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#unheard = 0;
      return;
    }
    if (this.#holdsLock) return;
    this.#unheard++;
    if (this.#unheard <= this.#patience) {
      this.tell({ kind: 'hello' });
      return;
    }
    this.#unheard = 0;
    // Tabs that are too busy to answer need not be robbed again and again.
    this.#patience = Math.min(this.#patience * 2, MOST_PATIENCE);
    if (this.#cannotLead === undefined) this.#leadership.steal();
    else if (this.#begun !== undefined) this.#fail(this.#cannotLead);
  }

  // --- the end ---

  async #close(): Promise<void> {
    if (this.#life.kind === 'closed') return;
    this.#life = { kind: 'closing', error: this.#closedError('is closed') };
    while (this.#calls.size + this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    try {
      await this.ledger?.close();
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    } finally {
      await this.#leave('is closed');
    }
  }

  #settle(): void {
    if (this.#calls.size + this.#running === 0) this.#onSettled();
  }

  /** This tab cannot have the ledger after all. */
  #fail(error: unknown): void {
    this.#begun?.reject(error);
    this.#leaveBehind('could not be opened');
  }

  #leaveBehind(what: string): void {
    this.#closing = this.#leave(what);
    this.#closing.catch(throwLater);
  }

  async #leave(what: string): Promise<void> {
    if (this.#life.kind === 'closed') return;
    const error = this.#closedError(what);
    this.#life = { kind: 'closed', error };
    if (this.#role.kind === 'leading') this.#role.leader.stop();
    clearInterval(this.#timer);
    this.#unwatchFreezing();
    this.#listeners.clear();
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.#settle();
    for (const channel of [this.#common, this.#own, ...this.#channels.values()]) channel.close();
    this.#endTerm();
    for (const listener of this.#closedListeners) listener();
    await this.#leadership.giveUp();
  }

  #closedError(what: string): LedgerError {
    return new LedgerError('closed', `ledger '${this.name}' ${what}`);
  }

  #locked(): LedgerError {
    return new LedgerError('locked', `ledger '${this.name}' is open in another tab`);
  }

  #otherVersion(): LedgerError {
    const what = 'is open in a tab with another version of this library: reload that one';
    return new LedgerError('other-version', `ledger '${this.name}' ${what}`);
  }
}

/** Not the same for all, so that few take the lock at a time. */
function patience(): number {
  return PATIENCE + Math.floor((Math.random() * PATIENCE) / 2);
}
