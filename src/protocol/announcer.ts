import type { CID } from 'multiformats/cid';
import { keyText } from './held-blocks.ts';
import type { Message } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { remember } from '../remember.ts';
import type { Replica } from './replica.ts';
import { outOfTurn } from './violations.ts';

/** The most announced blocks that may be without an answer. */
export const MAX_ANNOUNCED = 4096;

/** Of how many blocks that were handed on it is remembered how they came. */
const REMEMBERED_BLOCKS = 4096;

/** For how many writers it is remembered whether their blocks are only announced. */
const REMEMBERED_WRITERS = 1024;

/** Sends messages of these keys, as many as it takes; of no keys one. */
export type SayKeys = (keys: readonly string[], messageOf: (keys: Uint8Array) => Message) => void;

/** How a block got here: from whom, and who wrote it. */
interface Way {
  readonly origin: object;
  readonly writer: string | undefined;
}

interface Announcement {
  readonly key: string;
  readonly cid: CID;
  readonly way: Way;
  /** Whether it was sent after all, and whether that was because the other side has asked for it. */
  state: 'waiting' | 'sent' | 'fetched';
}

/**
 * The sending half of what a session does about blocks that other sessions bring: hands them on at
 * once, or only announces them, as in a Plumtree ("Epidemic Broadcast Trees", Leitão, Pereira and
 * Rodrigues, 2007). The way of a writer's blocks over this link begins eager. It becomes lazy when the
 * other side says that one came in vain, since a shorter way there exists, and eager when the other side
 * fetches one. So each writer has a tree of its own: with one tree for all, or one for each neighbour,
 * the ways of different writers keep undoing each other. About a writer that is new, the neighbour that
 * brings its blocks tells. What was written here always goes at once: here its tree begins.
 *
 * It changes only when a block travels: what is announced and not answered counts as not delivered.
 */
export class Announcer {
  readonly #outbox: Outbox;
  readonly #replica: Replica;
  readonly #say: SayKeys;
  readonly #delayMs: number;
  /** Whether blocks are only announced: by their writer, or else by whom they came from. */
  readonly #lazyWriters = new Map<string, boolean>();
  readonly #lazyOrigins = new WeakMap<object, boolean>();
  /** How the last blocks came that were sent, by key. */
  readonly #ways = new Map<string, Way>();
  /** Not announced yet; and announced but not answered, by number, the oldest first. */
  #pending: Announcement[] = [];
  #told: Announcement[] = [];
  #answered = 0;
  #marks: { readonly at: number; readonly callback: () => void }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param delayMs for how long blocks are collected before they are announced */
  constructor(replica: Replica, outbox: Outbox, say: SayKeys, delayMs: number) {
    this.#replica = replica;
    this.#outbox = outbox;
    this.#say = say;
    this.#delayMs = delayMs;
  }

  /** True when nothing that was to be handed on waits for an answer. */
  get idle(): boolean {
    return this.#pending.length === 0 && this.#told.every(({ state }) => state !== 'waiting');
  }

  /** What another session brought is to get to the other side, one way or another. */
  handOn(cids: readonly CID[], origin: object): void {
    const sent: CID[] = [];
    for (const cid of cids) {
      if (this.#outbox.isKnown(cid)) continue;
      const way = { origin, writer: this.#replica.writerOf?.(cid) };
      const key = keyText(cid);
      if (this.#isLazy(way)) this.#pending.push({ key, cid, way, state: 'waiting' });
      else {
        remember(this.#ways, key, way, REMEMBERED_BLOCKS);
        sent.push(cid);
      }
    }
    if (sent.length > 0) this.#outbox.push(sent);
    // The other side does not keep up; and children must not run far ahead of their parents.
    if (this.#pending.length + this.#told.length > MAX_ANNOUNCED) this.deliver();
    if (this.#pending.length > 0) {
      this.#timer ??= setTimeout(() => this.#announce(), this.#delayMs);
    }
  }

  /**
   * The other side answers for the first `count` that were announced, and names blocks that came in vain.
   * @throws ProtocolError `unexpected-message` for more than were announced, or fewer than before
   */
  held(count: number, again: readonly string[]): void {
    const answered = count - this.#answered;
    if (answered < 0 || answered > this.#told.length) {
      throw outOfTurn(`held: ${count}, after ${this.#answered}`);
    }
    for (const { key, state } of this.#told.splice(0, answered)) {
      // A fetched one may wait to be sent still.
      if (state !== 'fetched') this.#outbox.known(key);
    }
    this.#answered = count;
    for (const key of again) {
      const way = this.#ways.get(key);
      if (way !== undefined) this.#setLazy(way, true);
    }
    this.#settleMarks();
  }

  /** @throws ProtocolError `unexpected-message` for what was not announced */
  fetch(keys: readonly string[]): void {
    const wanted = new Set(keys);
    const fetched = this.#told.filter(({ key }) => wanted.has(key));
    if (fetched.length < wanted.size) {
      throw outOfTurn('fetch: a block that was not announced');
    }
    for (const { way } of fetched) this.#setLazy(way, false);
    this.#deliver(fetched);
    for (const announcement of fetched) announcement.state = 'fetched';
  }

  /** Calls back when each block handed on so far is held by the other side, or in the outbox. */
  whenAnswered(callback: () => void): void {
    this.#announce();
    if (this.idle) return callback();
    this.#marks.push({ at: this.#answered + this.#told.length, callback });
  }

  /** Sends all that is not known to be held, without waiting to be asked. */
  deliver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#deliver(this.#told);
    this.#deliver(this.#pending);
    this.#pending = [];
    for (const { callback } of this.#marks.splice(0)) callback();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #deliver(announcements: readonly Announcement[]): void {
    const sent: CID[] = [];
    for (const announcement of announcements) {
      if (announcement.state !== 'waiting') continue;
      announcement.state = 'sent';
      remember(this.#ways, announcement.key, announcement.way, REMEMBERED_BLOCKS);
      sent.push(announcement.cid);
    }
    if (sent.length > 0) this.#outbox.push(sent);
  }

  #isLazy({ origin, writer }: Way): boolean {
    // A snapshot's blocks have no writer: they belong together, and in their order.
    if (writer === undefined && this.#replica.writerOf !== undefined) return false;
    const known = writer === undefined ? undefined : this.#lazyWriters.get(writer);
    return known ?? this.#lazyOrigins.get(origin) ?? false;
  }

  #setLazy({ origin, writer }: Way, isLazy: boolean): void {
    this.#lazyOrigins.set(origin, isLazy);
    if (writer !== undefined) remember(this.#lazyWriters, writer, isLazy, REMEMBERED_WRITERS);
  }

  /** The other side may have told meanwhile that it has them. */
  #announce(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const announced = this.#pending.filter(({ cid }) => !this.#outbox.isKnown(cid));
    this.#pending = [];
    if (announced.length === 0) return;
    this.#told.push(...announced);
    const keys = announced.map(({ key }) => key);
    this.#say(keys, (part) => ({ kind: 'announce', keys: part }));
  }

  #settleMarks(): void {
    const due = this.#marks.filter(({ at }) => at <= this.#answered);
    if (due.length === 0) return;
    this.#marks = this.#marks.filter(({ at }) => at > this.#answered);
    for (const { callback } of due) callback();
  }
}
