import { LedgerError, type Document, type Ledger } from 'emberlink';
import {
  embersId,
  isPlayerId,
  kindOf,
  profileId,
  readEmbers,
  readProfile,
  readStart,
  readTiles,
  roundId,
  tilesId,
  tilesPrefix,
  type DocumentKind,
  type Profile,
} from './documents.ts';
import { LiveField } from './live-field.ts';
import type { RoundView, TileConflict } from './scene.ts';
import { CHUNK_TILES, chunkOf, placeInChunk, tileInChunk } from './world.ts';

/** How long a round is, and the pause after it, in milliseconds. All who play together have the same. */
export interface RoundTimes {
  readonly roundMs: number;
  readonly pauseMs: number;
}

export interface MatchOptions extends RoundTimes {
  /** The time that all share, in milliseconds since 1970. */
  readonly now: () => number;
  /** The clock of `FieldView.takenAt`. */
  readonly nowMs: () => number;
  readonly listener: MatchListener;
}

/** Told what the ledger brings; nothing that one did oneself, which one knows already. */
export interface MatchListener {
  tilesTaken(player: string, tiles: readonly number[]): void;
  emberTaken(player: string, index: number): void;
  profileChanged(player: string, isNew: boolean): void;
  chatChanged(at: number, player: string, id: string, document: Document | undefined): void;
  /** Something that the result of this round is made of. */
  resultTouched(round: number): void;
  resultChanged(round: number): void;
  failed(error: unknown): void;
}

/** A round that begins later than this from now is none yet: somebody's clock, or somebody, is off. */
const SOON_MS = 60_000;

/** The fields of a chunk. */
const PLACES = Array.from({ length: CHUNK_TILES }, (_, place) => String(place));

/** The game as the ledger has it: the present round with its field, and who plays. */
export class Match {
  readonly field: LiveField = new LiveField();
  readonly profiles: Map<string, Profile> = new Map();
  /** Of the present round: who took each ember, by its index. */
  readonly embersTaken: Map<number, string> = new Map();
  readonly #ledger: Ledger;
  readonly #options: MatchOptions;
  readonly #starts = new Map<number, number>();
  readonly #unsubscribe: () => void;
  /** Ids of documents that were written, and whether by others. */
  #changed = new Map<string, boolean>();
  #reading: Promise<void> | undefined;
  #unwritten = new Map<number, { readonly player: string; readonly ticket: number }>();
  #embersUnwritten = new Map<number, string>();
  #round = 0;
  #merge: Merge | undefined;

  private constructor(ledger: Ledger, options: MatchOptions) {
    this.#ledger = ledger;
    this.#options = options;
    this.#unsubscribe = ledger.subscribe(({ ids, origin }) => {
      for (const id of ids) {
        this.#changed.set(id, origin === 'remote' || this.#changed.get(id) === true);
      }
      void this.#read();
    });
  }

  /** Reads what the ledger has. */
  static async open(ledger: Ledger, options: MatchOptions): Promise<Match> {
    const match = new Match(ledger, options);
    await match.#inTurn(async () => match.#load());
    return match;
  }

  /** The present round; 0 before the first. */
  get round(): number {
    return this.#round;
  }

  /** Of a round that was played, or is being played, in milliseconds since 1970. */
  startOf(round: number): number | undefined {
    return round <= this.#round ? this.#starts.get(round) : undefined;
  }

  /** Since the present round began. */
  elapsedMs(): number {
    return this.#options.now() - (this.#starts.get(this.#round) ?? 0);
  }

  /** Until the present round is over. */
  remainingMs(): number {
    const { roundMs } = this.#options;
    return Math.min(roundMs, Math.max(0, roundMs - this.elapsedMs()));
  }

  get phase(): RoundView['phase'] {
    if (this.#round === 0) return 'waiting';
    return this.remainingMs() > 0 ? 'playing' : 'over';
  }

  /** How long until the next round is due, less than 0 when it should have begun. */
  nextInMs(): number {
    if (this.#round === 0) return Number.NEGATIVE_INFINITY;
    return this.#options.roundMs + this.#options.pauseMs - this.elapsedMs();
  }

  /** Looks whether another round has begun. */
  async look(): Promise<void> {
    if (this.#isNext()) await this.#read();
  }

  /** Begins the next round, unless somebody has; two who do so at once begin the same one. */
  async begin(): Promise<void> {
    const round = this.#round + 1;
    if (this.#starts.has(round) && this.#isNext()) return;
    const startedAt = Math.round(this.#options.now());
    await this.#write([{ _id: roundId(round), startedAt }]);
    await this.#read();
  }

  /** Takes a tile, which shows at once; `flush` writes it. */
  claim(tile: number, player: string): void {
    const ticket = this.field.claim(tile, this.field.ownerOf(player), this.#options.nowMs());
    this.#unwritten.set(tile, { player, ticket });
  }

  takeEmber(index: number, player: string): void {
    this.embersTaken.set(index, player);
    this.#embersUnwritten.set(index, player);
  }

  /** Writes what was taken since the last time, in one commit. */
  async flush(): Promise<void> {
    if (this.#unwritten.size === 0 && this.#embersUnwritten.size === 0) return;
    const round = this.#round;
    const claims = this.#unwritten;
    const embers = this.#embersUnwritten;
    this.#unwritten = new Map();
    this.#embersUnwritten = new Map();
    const fieldsByChunk = new Map<number, Record<string, string>>();
    for (const [tile, { player }] of claims) {
      const chunk = chunkOf(tile);
      let fields = fieldsByChunk.get(chunk);
      if (fields === undefined) fieldsByChunk.set(chunk, (fields = {}));
      fields[String(placeInChunk(tile))] = player;
    }
    const documents = [...fieldsByChunk].map(([chunk, fields]): Document => ({
      _id: tilesId(round, chunk),
      ...fields,
    }));
    if (embers.size > 0) {
      documents.push({ _id: embersId(round), ...Object.fromEntries(embers) });
    }
    await this.#write(documents);
    // The ledger has told of them: what it says now is its word on these tiles.
    await this.#read();
    const nowMs = this.#options.nowMs();
    const changed = new Map<string, number[]>();
    for (const [tile, { ticket }] of claims) {
      if (this.field.settle(tile, ticket, nowMs)) this.#note(tile, changed);
    }
    this.#tell(changed);
  }

  async setProfile(player: string, profile: Partial<Profile>): Promise<void> {
    await this.#write([{ _id: profileId(player), ...profile }]);
    await this.#read();
  }

  // --- what was played apart ---

  /** Begins to look for what others bring. @param here who played on this side until now */
  expectMerge(here: ReadonlySet<string>): void {
    // Who has played nothing yet is a newcomer: what it finds is no merge.
    if (this.#merge !== undefined || this.field.isEmpty()) return;
    this.#merge = { here, tiles: new Set(), chunks: new Set() };
  }

  /** What others have brought since. */
  async endMerge(): Promise<{ tiles: number[]; conflicts: TileConflict[] }> {
    await this.#read();
    const merge = this.#merge;
    this.#merge = undefined;
    if (merge === undefined) return { tiles: [], conflicts: [] };
    const conflicts: TileConflict[] = [];
    const round = this.#round;
    for (const chunk of merge.chunks) {
      for (const conflict of await this.#ledger.conflicts(tilesId(round, chunk))) {
        const place = conflict.kind === 'field' ? PLACES.indexOf(conflict.field) : -1;
        if (place < 0) continue;
        const players = new Set(conflict.versions.map(({ value }) => value).filter(isPlayerId));
        const [kept, ...lost] = players;
        const ofHere = [...players].filter((player) => merge.here.has(player)).length;
        if (kept === undefined || ofHere === 0 || ofHere === players.size) continue;
        conflicts.push({ tile: tileInChunk(chunk, place), kept, lost });
      }
    }
    return { tiles: [...merge.tiles], conflicts };
  }

  /** Waits until all that was taken is in the ledger, and ends. */
  async close(): Promise<void> {
    await this.flush();
    this.#unsubscribe();
    await this.#reading;
  }

  // --- reading ---

  /** Resolves when all that the ledger has told of was read. */
  async #read(): Promise<void> {
    while (this.#reading !== undefined) await this.#reading;
    if (this.#changed.size === 0 && !this.#isNext()) return;
    await this.#inTurn(async () => this.#readChanged());
  }

  async #inTurn(read: () => Promise<void>): Promise<void> {
    this.#reading = read()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  async #load(): Promise<void> {
    const rounds = await this.#ledger.allDocs({ prefix: 'round:' });
    const players = await this.#ledger.allDocs({ prefix: 'player:' });
    const chat = await this.#ledger.allDocs({
      range: ['chat:', 'chat:~'],
      descending: true,
      limit: 100,
    });
    for (const { id, doc } of [...rounds.rows, ...players.rows, ...chat.rows.reverse()]) {
      const kind = kindOf(id);
      if (kind !== undefined) this.#hear(id, kind, doc, false);
    }
    await this.#advance();
    for (const round of [this.#round - 1, this.#round]) {
      if (round > 0) this.#options.listener.resultTouched(round);
    }
  }

  async #readChanged(): Promise<void> {
    const changed = this.#changed;
    this.#changed = new Map();
    const wanted = new Map<string, DocumentKind>();
    for (const id of changed.keys()) {
      const kind = kindOf(id);
      if (kind !== undefined && this.#isPresent(kind)) wanted.set(id, kind);
    }
    if (wanted.size > 0) {
      const { rows } = await this.#ledger.allDocs({ keys: [...wanted.keys()] });
      const documents = new Map(rows.map(({ id, doc }) => [id, doc]));
      const taken = new Map<string, number[]>();
      for (const [id, kind] of wanted) {
        this.#hear(id, kind, documents.get(id), changed.get(id)!, taken);
      }
      this.#tell(taken);
    }
    await this.#advance();
  }

  /** Whether it is read at once; of earlier rounds it is only noted that something has changed. */
  #isPresent(kind: DocumentKind): boolean {
    switch (kind.kind) {
      case 'tiles':
        this.#options.listener.resultTouched(kind.round);
        return kind.round === this.#round;
      case 'embers':
        return kind.round === this.#round;
      case 'result':
        this.#options.listener.resultChanged(kind.round);
        return false;
      case 'round':
      case 'player':
      case 'chat':
        return true;
    }
  }

  #hear(
    id: string,
    kind: DocumentKind,
    document: Document | undefined,
    isRemote: boolean,
    taken = new Map<string, number[]>(),
  ): void {
    const { listener } = this.#options;
    switch (kind.kind) {
      case 'round': {
        const startedAt = readStart(document);
        if (startedAt !== undefined) this.#starts.set(kind.round, startedAt);
        return;
      }
      case 'tiles':
        this.#hearTiles(kind.chunk, document, isRemote, this.#options.nowMs(), taken);
        return;
      case 'embers':
        for (const [index, player] of readEmbers(document)) {
          const before = this.embersTaken.get(index);
          this.embersTaken.set(index, player);
          if (before === undefined) listener.emberTaken(player, index);
        }
        return;
      case 'player': {
        const profile = readProfile(document);
        if (profile === undefined) return;
        const isNew = !this.profiles.has(kind.player);
        this.profiles.set(kind.player, profile);
        listener.profileChanged(kind.player, isNew);
        return;
      }
      case 'chat':
        listener.chatChanged(kind.at, kind.player, id, document);
        return;
      case 'result':
        return;
    }
  }

  #hearTiles(
    chunk: number,
    document: Document | undefined,
    isRemote: boolean,
    nowMs: number,
    taken: Map<string, number[]>,
  ): void {
    if (isRemote) this.#merge?.chunks.add(chunk);
    readTiles(document, (place, owner) => {
      const tile = tileInChunk(chunk, place);
      if (!this.field.hear(tile, owner, nowMs)) return;
      this.#note(tile, taken);
      const isTheirs = owner !== undefined && this.#merge?.here.has(owner) === false;
      if (isRemote && isTheirs) this.#merge?.tiles.add(tile);
    });
  }

  #note(tile: number, taken: Map<string, number[]>): void {
    const player = this.field.roster[this.field.owners[tile]! - 1];
    if (player === undefined) return;
    const tiles = taken.get(player);
    if (tiles === undefined) taken.set(player, [tile]);
    else tiles.push(tile);
  }

  #tell(taken: ReadonlyMap<string, readonly number[]>): void {
    for (const [player, tiles] of taken) this.#options.listener.tilesTaken(player, tiles);
  }

  /** A round counts when all before it do, so that nobody leaps ahead to the last one. */
  #isNext(): boolean {
    const startedAt = this.#starts.get(this.#round + 1);
    return startedAt !== undefined && startedAt < this.#options.now() + SOON_MS;
  }

  async #advance(): Promise<void> {
    if (!this.#isNext()) return;
    const before = this.#round;
    // Written under the round in which they were taken.
    void this.flush();
    while (this.#isNext()) this.#round++;
    if (before > 0) this.#options.listener.resultTouched(before);
    this.field.reset([]);
    this.embersTaken.clear();
    const round = this.#round;
    const { rows } = await this.#ledger.allDocs({ prefix: tilesPrefix(round) });
    for (const { id, doc } of rows) {
      const kind = kindOf(id);
      if (kind?.kind === 'tiles') this.#hearTiles(kind.chunk, doc, true, 0, new Map());
    }
    for (const [index, player] of readEmbers(await this.#ledger.get(embersId(round)))) {
      this.embersTaken.set(index, player);
    }
  }

  // --- writing ---

  async #write(documents: readonly Document[]): Promise<void> {
    try {
      await Promise.all(documents.map(async (document) => this.#ledger.patch(document)));
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (error instanceof LedgerError && error.code === 'closed') return;
    this.#options.listener.failed(error);
  }
}

interface Merge {
  readonly here: ReadonlySet<string>;
  readonly tiles: Set<number>;
  readonly chunks: Set<number>;
}
