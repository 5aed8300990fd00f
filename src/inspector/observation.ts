import type {
  Change,
  Clock,
  Conflict,
  DocumentValue,
  Ledger,
  LedgerUsage,
  Room,
  RoomPeer,
  TraceEvent,
} from '../index.ts';
import { traceSync } from '../trace-sync.ts';
import { CommitGraph } from './commit-graph.ts';
import { type EventKind, EventLog } from './event-log.ts';
import { Flight } from './flight.ts';
import { formatBytes, formatNumber } from './format.ts';
import { Names } from './names.ts';
import { peerOf, Sessions } from './sessions.ts';

/** A document whose concurrent versions nobody has settled yet. */
export interface ConflictedDocument {
  readonly id: string;
  readonly conflicts: readonly Conflict[];
}

/** Of the past, so many commits are looked at to begin with; */
const FIRST_COMMITS = 400;
/** so many more when somebody asks for older ones, */
const MORE_COMMITS = 1000;
/** and so many in all. */
const MAX_COMMITS = 5000;
const MAX_CONFLICTED = 20;
const MAX_LOGGED_IDS = 5;
const MAX_LOGGED_CIDS = 100;

const COMMITS_EVERY_MS = 150;
const STATE_EVERY_MS = 1000;

/**
 * What the inspector knows of a ledger and a room. It listens from `start` to `stop`, counting what it
 * hears; the ledger is read by `read` alone, which is called when somebody looks.
 */
export class Observation {
  readonly ledger: Ledger;
  readonly graph: CommitGraph = new CommitGraph(MAX_COMMITS);
  readonly log: EventLog = new EventLog();
  readonly sessions: Sessions = new Sessions();
  readonly flight: Flight = new Flight();
  readonly names: Names = new Names();
  readonly #onNews: () => void;
  #room: Room | undefined;
  #peers: readonly RoomPeer[] = [];
  #roomState: string | undefined;
  #ends: (() => void)[] | undefined;
  #endRoom: (() => void) | undefined;
  #reading: Promise<void> | undefined;
  /** What the graph has. */
  #drawn: Clock | undefined;
  #limit = FIRST_COMMITS;
  #readCommitsAt = Number.NEGATIVE_INFINITY;
  #readStateAt = Number.NEGATIVE_INFINITY;
  #isStateOld = true;
  #areCommitsOld = true;
  #usage: LedgerUsage | undefined;
  #conflicted: { readonly count: number; readonly documents: readonly ConflictedDocument[] } = {
    count: 0,
    documents: [],
  };
  #hasOlder = false;

  /** @param onNews called when there is something new to see, as often as it comes */
  constructor(ledger: Ledger, onNews: () => void) {
    this.ledger = ledger;
    this.#onNews = onNews;
  }

  get room(): Room | undefined {
    return this.#room;
  }

  set room(room: Room | undefined) {
    if (room === this.#room) return;
    this.#endRoom?.();
    this.#endRoom = undefined;
    this.#room = room;
    if (this.#ends !== undefined) this.#watchRoom();
  }

  /** Undefined until it was read. */
  get usage(): LedgerUsage | undefined {
    return this.#usage;
  }

  /** How many documents have conflicts, and the first ones of them. */
  get conflicted(): { readonly count: number; readonly documents: readonly ConflictedDocument[] } {
    return this.#conflicted;
  }

  /** Whether the ledger has commits that are older than those of the graph. */
  get hasOlder(): boolean {
    return this.#hasOlder && this.graph.size < MAX_COMMITS;
  }

  /** Whether `read` would find something new. */
  get isBehind(): boolean {
    return this.#areCommitsOld || this.#isStateOld;
  }

  start(): void {
    if (this.#ends !== undefined) return;
    this.#areCommitsOld = true;
    this.#isStateOld = true;
    this.#ends = [
      this.ledger.subscribe((change) => this.#changed(change)),
      traceSync(this.ledger, (event) => this.#traced(event)),
    ];
    this.#watchRoom();
  }

  /** Nothing is heard any more. What is known stays. */
  stop(): void {
    for (const end of this.#ends ?? []) end();
    this.#ends = undefined;
    this.#endRoom?.();
    this.#endRoom = undefined;
    this.sessions.clear();
    this.flight.clear();
  }

  /** Reads what is new, not too often, and one reading after the other. */
  read(nowMs: number): void {
    if (this.#reading !== undefined || this.#ends === undefined) return;
    const commits = this.#areCommitsOld && nowMs - this.#readCommitsAt >= COMMITS_EVERY_MS;
    const state = this.#isStateOld && nowMs - this.#readStateAt >= STATE_EVERY_MS;
    if (!commits && !state) return;
    if (commits) this.#readCommitsAt = nowMs;
    if (state) this.#readStateAt = nowMs;
    const reading = async (): Promise<void> => {
      if (commits) await this.#readCommits(nowMs);
      if (state) await this.#readState();
    };
    this.#reading = reading()
      .catch((error: unknown) => this.report(error))
      .finally(() => {
        this.#reading = undefined;
        this.#onNews();
      });
  }

  /** Makes the graph reach further back. */
  readOlder(): void {
    this.#limit = Math.min(this.graph.size + MORE_COMMITS, MAX_COMMITS);
    this.#drawn = undefined;
    this.#areCommitsOld = true;
    this.#readCommitsAt = Number.NEGATIVE_INFINITY;
    this.#onNews();
  }

  /**
   * Settles a conflict: by a value that wins over all others, or by deleting the document after all.
   * @throws what the ledger throws
   */
  async settle(id: string, conflict: Conflict, value: DocumentValue | undefined): Promise<void> {
    switch (conflict.kind) {
      case 'field':
        if (value === undefined) return;
        await this.ledger.patch({ _id: id, [conflict.field]: value }, { resolve: true });
        break;
      case 'delete':
        await this.ledger.del(id);
    }
    this.#isStateOld = true;
    this.#readStateAt = Number.NEGATIVE_INFINITY;
    this.#onNews();
  }

  /** Puts an error into the log. A ledger that was closed has no more news: that is none. */
  report(error: unknown): void {
    this.#isStateOld = false;
    this.#areCommitsOld = false;
    this.#tell('error', undefined, String(error), {});
  }

  // --- the ledger ---

  #changed({ ids, origin }: Change): void {
    this.#areCommitsOld = true;
    this.#isStateOld = true;
    const names = ids.slice(0, MAX_LOGGED_IDS).join(', ');
    const more = ids.length > MAX_LOGGED_IDS ? ', …' : '';
    const text = `${formatNumber(ids.length, 'document')}: ${names}${more}`;
    const kind = origin === 'local' ? 'write' : 'commit';
    this.#tell(kind, undefined, text, { ids: ids.slice(0, MAX_LOGGED_CIDS) });
  }

  async #readCommits(nowMs: number): Promise<void> {
    this.#areCommitsOld = false;
    const { clock } = this.ledger;
    const commits = await this.#commitsSince(this.#drawn);
    if (this.#drawn === undefined) {
      this.graph.clear();
      // One's own lane is the first.
      this.graph.laneOf(this.ledger.writer);
      this.#hasOlder = commits.length >= this.#limit;
      this.graph.add(commits, Number.NEGATIVE_INFINITY);
    } else {
      this.graph.add(commits, nowMs);
    }
    this.#drawn = clock;
  }

  async #commitsSince(since: Clock | undefined): ReturnType<Ledger['commits']> {
    const limit = this.#limit;
    if (since === undefined) return this.ledger.commits({ limit });
    try {
      return await this.ledger.commits({ since, limit: MAX_COMMITS });
    } catch {
      // Commits were dropped, and the graph's among them: it is made anew of those that are left.
      this.#drawn = undefined;
      return this.ledger.commits({ limit });
    }
  }

  async #readState(): Promise<void> {
    this.#isStateOld = false;
    this.#usage = this.ledger.usage();
    const ids = await this.ledger.conflicted();
    const documents: ConflictedDocument[] = [];
    for (const id of ids.slice(0, MAX_CONFLICTED)) {
      const conflicts = await this.ledger.conflicts(id);
      if (conflicts.length > 0) documents.push({ id, conflicts });
    }
    if (ids.length !== this.#conflicted.count) {
      const text = ids.length === 0 ? 'none left' : `in ${formatNumber(ids.length, 'document')}`;
      this.#tell('conflict', undefined, text, { ids: ids.slice(0, MAX_LOGGED_CIDS) });
    }
    this.#conflicted = { count: ids.length, documents };
  }

  // --- the room ---

  #watchRoom(): void {
    const room = this.#room;
    this.#peers = [];
    this.#roomState = undefined;
    if (room === undefined) {
      this.#onNews();
      return;
    }
    this.#endRoom = room.subscribe(() => this.#roomChanged(room));
    this.#roomChanged(room);
  }

  #roomChanged(room: Room): void {
    const { state, error } = room.status;
    if (state !== this.#roomState) {
      const why = error === undefined ? '' : `: ${error.message}`;
      this.#tell('room', undefined, `${state}${why}`, { state });
    }
    this.#roomState = state;
    const before = new Map(this.#peers.map((peer) => [peer.id, peer]));
    this.#peers = room.peers;
    for (const peer of this.#peers) {
      this.names.learn(peer);
      const known = before.get(peer.id);
      before.delete(peer.id);
      if (known === undefined) this.#tell('peer', peer.id, 'came', { info: peer.info });
      if (known?.state !== peer.state) {
        const why = peer.error === undefined ? '' : `: ${peer.error.message}`;
        this.#tell('peer', peer.id, `${peer.state}${why}`, { state: peer.state });
      }
    }
    for (const { id } of before.values()) this.#tell('peer', id, 'left', {});
    this.#onNews();
  }

  // --- sessions ---

  #traced(event: TraceEvent): void {
    const nowMs = performance.now();
    this.sessions.take(event, nowMs, this.ledger.replica.blockCount);
    const peer = peerOf(event);
    switch (event.kind) {
      case 'opened':
        return this.#tell('session', peer, 'opened', { session: event.session });
      case 'closed': {
        const why = event.error === undefined ? '' : `: ${event.error.message}`;
        return this.#tell('session', peer, `closed${why}`, { session: event.session });
      }
      case 'message': {
        const { direction, type, bytes } = event;
        const text = `${type} ${direction}, ${formatBytes(bytes)}`;
        return this.#tell('message', peer, text, { direction, type, bytes });
      }
      case 'difference': {
        const { how, lackedHere, lackedThere } = event;
        const count = (lacked: { count: number | undefined }): string => `${lacked.count ?? '?'}`;
        const text = `by ${how}: ${count(lackedHere)} lacking here, ${count(lackedThere)} there`;
        const facts = { how, lackingHere: lackedHere.count, lackingThere: lackedThere.count };
        return this.#tell('difference', peer, text, facts);
      }
      case 'blocks': {
        const { direction, cids, bytes } = event;
        this.flight.add(peer, direction, cids.length, nowMs);
        const text = `${formatNumber(cids.length, 'block')} ${direction}, ${formatBytes(bytes)}`;
        const facts = { direction, bytes, cids: cids.slice(0, MAX_LOGGED_CIDS).map(String) };
        return this.#tell('blocks', peer, text, facts);
      }
      case 'acknowledged':
        this.#onNews();
    }
  }

  #tell(kind: EventKind, peer: string | undefined, text: string, facts: object): void {
    this.log.add({ at: Date.now(), kind, peer, text, facts: { ...facts } });
    this.#onNews();
  }
}
