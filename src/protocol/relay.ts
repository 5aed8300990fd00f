import type { CID } from 'multiformats/cid';
import { HeldBlocks, keyBytes, keyText } from './held-blocks.ts';
import type { Replica } from './replica.ts';

/** How long an announced block may take to come by another link before it is fetched. */
const FETCH_AFTER_MS = 100;
/** How long a fetched block may take before the next one that announced it is asked. */
const FETCH_AGAIN_MS = 1000;
/** How often it is looked which blocks are due; those that are due together are fetched together. */
const LOOK_MS = 25;

/** A link on which blocks are announced, as the relay sees it. */
export interface RelayLink {
  /** The block of this key is here: the other side need not send it. */
  answered(key: string): void;
  /** Asks the other side for these blocks. */
  fetch(keys: readonly string[]): void;
}

/** A block that was announced and is not here. */
interface Wanted {
  /** Who announced it and was not asked yet. */
  readonly announcers: RelayLink[];
  asked: RelayLink | undefined;
  dueMs: number;
}

/**
 * What the sessions of one replica know together about blocks that travel between many peers: which are
 * on their way in, so that a second copy is noticed, and which were announced and have not come, so that
 * each is fetched from one peer at a time.
 */
export class Relay {
  static readonly #byReplica = new WeakMap<Replica, Relay>();

  readonly #replica: Replica;
  readonly #links = new Set<RelayLink>();
  #unwatch: () => void = () => {};
  /** What was stored last, by anybody. */
  #recent = new HeldBlocks();
  readonly #arriving = new Set<string>();
  readonly #wanted = new Map<string, Wanted>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(replica: Replica) {
    this.#replica = replica;
  }

  static of(replica: Replica): Relay {
    let relay = this.#byReplica.get(replica);
    if (relay === undefined) {
      relay = new Relay(replica);
      this.#byReplica.set(replica, relay);
    }
    return relay;
  }

  join(link: RelayLink): void {
    this.#links.add(link);
    if (this.#links.size === 1) this.#unwatch = this.#replica.watch((cids) => this.stored(cids));
  }

  leave(link: RelayLink): void {
    if (!this.#links.delete(link)) return;
    for (const [key, wanted] of this.#wanted) {
      const at = wanted.announcers.indexOf(link);
      if (at >= 0) wanted.announcers.splice(at, 1);
      if (wanted.asked === link) {
        wanted.asked = undefined;
        wanted.dueMs = 0;
      }
      if (wanted.asked === undefined && wanted.announcers.length === 0) this.#wanted.delete(key);
    }
    if (this.#links.size > 0) return;
    this.#unwatch();
    this.#recent = new HeldBlocks();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  // --- blocks that come ---

  /** False while there is one peer alone, from which nothing comes twice. */
  get isShared(): boolean {
    return this.#links.size > 1;
  }

  /** Takes note of blocks that are about to be stored; tells which of them came before. */
  async arriving(cids: readonly CID[]): Promise<string[]> {
    const again: string[] = [];
    for (const cid of cids) {
      const key = keyText(cid);
      const held = this.#arriving.has(key) || this.#replica.has(cid);
      // Without an await per block where none is needed.
      if (held instanceof Promise ? await held : held) again.push(key);
      else this.#arriving.add(key);
    }
    return again;
  }

  /** They are stored, or were refused. */
  arrived(cids: readonly CID[]): void {
    if (this.#arriving.size > 0) for (const cid of cids) this.#arriving.delete(keyText(cid));
  }

  /** They are held from now on, waiting or not. */
  stored(cids: readonly CID[]): void {
    this.#recent.add(cids);
    if (this.#wanted.size === 0) return;
    for (const cid of cids) {
      const key = keyText(cid);
      const wanted = this.#wanted.get(key);
      if (wanted === undefined) continue;
      this.#wanted.delete(key);
      for (const link of wanted.announcers) link.answered(key);
    }
  }

  // --- blocks that are announced ---

  /** Answers for what is held, and waits for the rest. */
  async announced(link: RelayLink, keys: readonly string[]): Promise<void> {
    const strange = keys.filter((key) => !this.#recent.hasKey(key));
    const found = strange.length > 0 ? await this.#replica.find?.(keyBytes(strange)) : undefined;
    const held = new Set(found?.map(keyText));
    for (const key of keys) {
      if (held.has(key) || this.#recent.hasKey(key)) link.answered(key);
      else if (this.#links.has(link)) this.#want(key, link);
    }
  }

  #want(key: string, link: RelayLink): void {
    const wanted = this.#wanted.get(key);
    if (wanted !== undefined) {
      wanted.announcers.push(link);
      return;
    }
    const dueMs = performance.now() + FETCH_AFTER_MS;
    this.#wanted.set(key, { announcers: [link], asked: undefined, dueMs });
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    const due = new Map<RelayLink, string[]>();
    for (const [key, wanted] of this.#wanted) {
      if (wanted.dueMs > nowMs) continue;
      const link = wanted.announcers.shift();
      // Everybody was asked, and who lives will send it.
      if (link === undefined) this.#wanted.delete(key);
      else {
        wanted.asked = link;
        wanted.dueMs = nowMs + FETCH_AGAIN_MS;
        const keys = due.get(link);
        if (keys === undefined) due.set(link, [key]);
        else keys.push(key);
      }
    }
    for (const [link, keys] of due) link.fetch(keys);
    if (this.#wanted.size > 0) this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
  }
}
