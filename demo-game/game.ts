import {
  LedgerError,
  openLedger,
  PastedSignaling,
  type Ledger,
  type LedgerOptions,
  type Linker,
  type Room,
  type SignalingAdapter,
} from 'emberlink';
import { linkTo, readAddress, readPasted, type GameAddress } from './address.ts';
import { Bot } from './bot.ts';
import { ChatLog } from './chat-log.ts';
import { COLOURS, freeColour } from './colours.ts';
import {
  botId,
  chatId,
  lettersOf,
  MOST_NAME_LETTERS,
  MOST_TEXT_LETTERS,
  plain,
} from './documents.ts';
import type { Profile } from './documents.ts';
import { Drawn } from './drawn.ts';
import { GameError } from './game-error.ts';
import { Match, type RoundTimes } from './match.ts';
import { Party } from './party.ts';
import { Play } from './play.ts';
import { ranking } from './ranking.ts';
import { openReplay, type Replay } from './replay.ts';
import { Results } from './results.ts';
import type { ChatLine, Connection, GameEvent, RoundResult, Scene } from './scene.ts';
import { SharedClock } from './shared-clock.ts';
import { takeSlot, type Slot } from './slot.ts';

export interface GameOptions {
  /** A signaling server; undefined for none: then people are brought together by pasting. */
  readonly signaling: string | SignalingAdapter | undefined;
  /** What the page's address is. Its fragment says which room, and the key to it. */
  readonly address: URL;
  /** What one is called at first. */
  readonly name?: string;
  readonly iceServers?: readonly RTCIceServer[];
  /** Where the ledger is kept. Default: where this browser keeps ledgers. */
  readonly storage?: NonNullable<LedgerOptions['storage']>;
  /** Makes the links to others. Default: WebRTC. */
  readonly linker?: Linker;
  /** One's own clock, in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** From 0 to 1 (excluded) at each call. Default `Math.random`. */
  readonly random?: () => number;
  /** Rounds of another length, which all who play together must have. */
  readonly times?: RoundTimes;
}

const ROUND_MS = 60_000;
const PAUSE_MS = 8_000;
/** What others are told of one's position: 25 times a second. */
const BEAT_MS = 40;
/** What was taken is written ten times a second. */
const FLUSH_MS = 100;
const LOOK_MS = 500;
/** Who is further down the line waits for the first to begin the round. */
const TURN_MS = 700;
/** Bots come back when one has been alone for so long. */
const LONELY_MS = 3_000;
const BOTS = 2;
const BOT_NAMES = ['Cinder', 'Soot'];
/** Two sides that met have played apart if so many tiles came together. */
const FEWEST_MERGED = 4;

/**
 * The game, from one player's side. It has a ledger that holds what lasts, and a stay in a room that
 * brings it to the others; positions go past the ledger. Nobody is the host.
 */
export class Game {
  readonly me: string;
  /** For those who want to look inside. */
  readonly ledger: Ledger;
  readonly #options: GameOptions;
  readonly #times: RoundTimes;
  readonly #address: GameAddress;
  readonly #slot: Slot;
  readonly #clock: SharedClock;
  readonly #party: Party;
  readonly #pasted: PastedSignaling;
  readonly #chat: ChatLog;
  readonly #listeners = new Set<(event: GameEvent) => void>();
  readonly #drawn: Drawn;
  readonly #openedAtMs: number = performance.now();
  #match!: Match;
  #results!: Results;
  #play!: Play;
  #flushedAtMs = 0;
  #lookedAtMs = 0;
  #aloneSinceMs = Number.NEGATIVE_INFINITY;
  #beat: ReturnType<typeof setInterval> | undefined;
  #isBeginning = false;
  #isClosed = false;

  private constructor(
    options: GameOptions,
    address: GameAddress,
    slot: Slot,
    clock: SharedClock,
    ledger: Ledger,
  ) {
    this.#options = options;
    this.#times = options.times ?? { roundMs: ROUND_MS, pauseMs: PAUSE_MS };
    this.#address = address;
    this.#slot = slot;
    this.#clock = clock;
    this.ledger = ledger;
    // Of this ledger, and of no opening of it alone.
    this.me = ledger.writer.slice(0, 16);
    this.#chat = new ChatLog((player) => this.#profileOf(player));
    this.#drawn = new Drawn(this.me);
    const { signaling, linker } = options;
    const ice = options.iceServers === undefined ? {} : { iceServers: [...options.iceServers] };
    this.#pasted = new PastedSignaling(ice);
    this.#party = new Party({
      ledger,
      player: this.me,
      name: () => this.#profileOf(this.me).name,
      room: address.room,
      key: address.key,
      signaling: signaling === undefined ? [this.#pasted] : [this.#pasted, signaling],
      ...ice,
      ...(linker === undefined ? {} : { linker }),
      clock,
      ownTime: options.now ?? Date.now,
      listener: {
        came: (player) => this.#emit({ kind: 'player-came', player }),
        left: (player) => this.#emit({ kind: 'player-left', player }),
        connectionChanged: (connection) => this.#emit({ kind: 'connection', connection }),
        meeting: (here) => this.#match.expectMerge(new Set([this.me, ...this.#botIds(), ...here])),
        met: async () => this.#met(),
      },
    });
  }

  /**
   * Opens this player's ledger and joins the room of the address; begins to play at once.
   * @throws LedgerError, StorageError when the ledger cannot be opened
   */
  static async open(options: GameOptions): Promise<Game> {
    const address = readAddress(options.address);
    keepInAddress(options.address, address);
    const isKept = options.storage === undefined;
    const slot = isKept ? await takeSlot(address.room) : { index: 0, release: () => {} };
    const clock = new SharedClock(options.now ?? Date.now);
    try {
      const ledger = await openKept(`emberfield-${address.room}-${slot.index}`, {
        // Writes are of the time that all share, so that no wrong clock wins.
        now: () => clock.now(),
        futureToleranceMs: FUTURE_TOLERANCE_MS,
        ...(options.storage === undefined ? {} : { storage: options.storage }),
      });
      const game = new Game(options, address, slot, clock, ledger);
      await game.#begin();
      return game;
    } catch (error) {
      slot.release();
      throw error;
    }
  }

  get room(): Room | undefined {
    return this.#party.room;
  }

  get connection(): Connection {
    return this.#party.connection;
  }

  /** What brings a friend into this room. */
  get inviteLink(): string {
    return linkTo(this.#options.address, this.#address);
  }

  // --- playing ---

  /**
   * The moment at `nowMs`, on the clock of `performance.now`; moves the game on. The same object is
   * returned each time.
   */
  scene(nowMs: number): Scene {
    this.#advance(nowMs);
    const { spark, bots, lying: embers } = this.#play;
    return this.#drawn.draw(nowMs, {
      match: this.#match,
      party: this.#party,
      spark,
      bots,
      embers,
      profileOf: (player) => this.#profileOf(player),
    });
  }

  /** Where to glide: a heading in radians, or undefined to go straight on. */
  steer(heading: number | undefined): void {
    this.#play.heading = heading;
  }

  subscribe(listener: (event: GameEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // --- oneself, and talking ---

  /** @throws GameError for a name that is empty or too long */
  async rename(name: string): Promise<void> {
    const told = plain(name, MOST_NAME_LETTERS + 1);
    if (told === '') throw new GameError('A name needs at least one letter.');
    if (lettersOf(told).length > MOST_NAME_LETTERS) {
      throw new GameError(`A name has at most ${MOST_NAME_LETTERS} letters.`);
    }
    await this.#match.setProfile(this.me, { name: told });
  }

  /** @throws GameError for one that somebody here has */
  async recolour(colour: number): Promise<void> {
    if (!(colour in COLOURS)) throw new GameError('There is no such colour.');
    if (freeColour(colour, this.#coloursOfOthers()) !== colour) {
      throw new GameError('Somebody here has this colour.');
    }
    await this.#match.setProfile(this.me, { colour });
  }

  /** @throws GameError for too long a text; nothing is said by an empty one */
  async say(text: string): Promise<void> {
    const told = plain(text, MOST_TEXT_LETTERS + 1);
    if (told === '') return;
    if (lettersOf(told).length > MOST_TEXT_LETTERS) {
      throw new GameError(`At most ${MOST_TEXT_LETTERS} letters at a time.`);
    }
    let at = Math.round(this.#clock.now());
    while ((await this.ledger.get(chatId(at, this.me))) !== undefined) at++;
    await this.ledger.put({ _id: chatId(at, this.me), text: told });
  }

  /** The last hundred lines, newest last. */
  chat(): readonly ChatLine[] {
    return this.#chat.lines();
  }

  /** Of all rounds ever played, newest first. */
  async results(): Promise<readonly RoundResult[]> {
    return this.#results.all();
  }

  /** A round that was played, to be dragged through; undefined for one whose past is not here. */
  async replay(round: number): Promise<Replay | undefined> {
    const startedAt = this.#match.startOf(round);
    if (startedAt === undefined) return undefined;
    await this.#match.flush();
    return openReplay(this.ledger, {
      round,
      startedAt,
      durationMs: Math.min(this.#times.roundMs, Math.max(0, this.#clock.now() - startedAt)),
      me: this.me,
      profileOf: (player) => this.#profileOf(player),
    });
  }

  // --- the plug ---

  /** Cuts one's own network: leaves the room, and stays away. */
  async unplug(): Promise<void> {
    await this.#match.flush();
    await this.#party.unplug();
  }

  /** Joins the room again: what was played apart comes together. */
  async plug(): Promise<void> {
    // What was taken alone is written alone.
    await this.#match.flush();
    this.#party.plug();
  }

  // --- without a server ---

  /** The link to send to somebody, who opens it and sends back the answer that they are shown. */
  async offer(): Promise<string> {
    return linkTo(this.#options.address, this.#address, await this.#pasted.offer());
  }

  /**
   * Takes an offer, or the link that it is in, and makes the answer to send back.
   * @throws GameError for one to another room; SignalError and ConnectionError like `PastedSignaling`
   */
  async accept(text: string): Promise<string> {
    const { signal, room } = readPasted(text);
    if (room !== undefined && room !== this.#address.room) {
      throw new GameError('This is an invitation to another game: open its link.');
    }
    return this.#pasted.accept(signal);
  }

  /** Takes the answer to an offer. @throws SignalError like `PastedSignaling` */
  connect(answer: string): void {
    this.#pasted.connect(answer);
  }

  /** Leaves the room, writes what was taken, and closes the ledger. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beat);
    await this.#match.flush();
    await this.#party.unplug();
    await this.#pasted.close();
    await this.#match.close();
    await this.ledger.close();
    this.#slot.release();
  }

  // --- the course of the game ---

  async #begin(): Promise<void> {
    this.#match = await Match.open(this.ledger, {
      ...this.#times,
      now: () => this.#clock.now(),
      nowMs: () => performance.now(),
      listener: {
        tilesTaken: (player, tiles) => this.#play?.tellTiles(player, tiles),
        emberTaken: (player, index) => this.#play?.tellEmber(player, index),
        profileChanged: () => this.#chat?.forgetNames(),
        chatChanged: (at, player, id, document) => {
          const line = this.#chat.hear(id, at, player, document);
          if (line !== undefined) this.#emit({ kind: 'chat', line });
        },
        resultTouched: (round) => this.#results?.touch(round, performance.now()),
        resultChanged: (round) => {
          this.#results?.touch(round, performance.now());
          this.#emit({ kind: 'results-changed' });
        },
        failed: (error) => this.#fail(error),
      },
    });
    this.#results = new Results(this.ledger, this.#match);
    this.#play = new Play({
      me: this.me,
      match: this.#match,
      room: this.#address.room,
      roundMs: this.#times.roundMs,
      emit: (event) => this.#emit(event),
      roundEnded: (round) => {
        this.#results.touch(round, performance.now());
        void this.#tellResult(round);
      },
    });
    await this.#introduce();
    this.#party.plug();
    if (this.#address.isNew && this.#match.round === 0) await this.#match.begin();
    this.#look(performance.now());
    this.#beat = setInterval(() => this.#tick(), BEAT_MS);
  }

  /** Who is new here gets a name and a colour. */
  async #introduce(): Promise<void> {
    if (this.#match.profiles.has(this.me)) return;
    const { random = Math.random, name } = this.#options;
    const wished = plain(name ?? '', MOST_NAME_LETTERS);
    await this.#match.setProfile(this.me, {
      name: wished || NAMES[Math.floor(random() * NAMES.length)]!,
      colour: freeColour(Math.floor(random() * 8), new Set()),
    });
  }

  /** Moves everything on to this moment. */
  #advance(nowMs: number): void {
    if (!this.#isClosed) this.#play.advance(nowMs);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#advance(nowMs);
    this.#party.show(this.#play.spark);
    if (nowMs - this.#flushedAtMs >= FLUSH_MS) {
      this.#flushedAtMs = nowMs;
      void this.#match.flush();
    }
    if (nowMs - this.#lookedAtMs >= LOOK_MS) this.#look(nowMs);
  }

  async #tellResult(round: number): Promise<void> {
    const { field } = this.#match;
    const tiles = new Map(field.roster.map((player, at) => [player, field.tilesOf(at + 1)]));
    const result = await this.#results.named(round, ranking(tiles));
    this.#emit({ kind: 'round-ended', result });
  }

  /** What need not be looked at in every frame. */
  #look(nowMs: number): void {
    this.#lookedAtMs = nowMs;
    const place = this.#party.place(nowMs);
    this.#play.follow();
    void this.#match.look();
    this.#keepCompany(nowMs);
    const isDue = this.#match.nextInMs() <= -place * TURN_MS;
    const isLate = nowMs - this.#openedAtMs > place * TURN_MS;
    if (isDue && isLate && this.#party.isSettled(nowMs)) void this.#beginRound();
    this.#results.settle(nowMs, place).catch((error: unknown) => this.#fail(error));
    this.#moveOnFromColour();
  }

  async #beginRound(): Promise<void> {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    await this.#match.begin();
    this.#isBeginning = false;
  }

  /** Bots come when one is alone, and go when a friend comes. */
  #keepCompany(nowMs: number): void {
    if (this.#party.players.size > 0) {
      this.#aloneSinceMs = nowMs;
      this.#play.bots = [];
      return;
    }
    if (this.#play.bots.length > 0 || !this.#party.isPlugged || this.#match.round === 0) return;
    if (nowMs - this.#aloneSinceMs < LONELY_MS) return;
    // A friend whom one has only lost comes back.
    const wasAloneAlways = this.#aloneSinceMs === Number.NEGATIVE_INFINITY;
    if (this.connection.state !== 'alone' && !wasAloneAlways) return;
    // Who comes by a link meets friends in a moment, it seems.
    if (!this.#address.isNew && !this.#party.isSettled(nowMs)) return;
    const { random = Math.random } = this.#options;
    this.#play.bots = this.#botIds().map((id, index) => new Bot(id, index, random));
    for (const [index, { id }] of this.#play.bots.entries()) void this.#introduceBot(id, index);
  }

  async #introduceBot(id: string, index: number): Promise<void> {
    const mine = this.#profileOf(this.me).colour;
    const taken = new Set([
      mine,
      ...this.#play.bots.slice(0, index).map((bot) => this.#profileOf(bot.id).colour),
    ]);
    const known = this.#match.profiles.get(id);
    if (known !== undefined && !taken.has(known.colour)) return;
    const colour = freeColour((mine + 3 * (index + 1)) % 8, taken);
    await this.#match.setProfile(id, { name: BOT_NAMES[index]!, colour });
  }

  /** Of two who have the same colour the one with the later id takes another. */
  #moveOnFromColour(): void {
    const mine = this.#match.profiles.get(this.me)?.colour;
    if (mine === undefined) return;
    for (const player of this.#party.players) {
      if (player > this.me || this.#match.profiles.get(player)?.colour !== mine) continue;
      const colour = freeColour(mine, this.#coloursOfOthers());
      if (colour !== mine) void this.#match.setProfile(this.me, { colour });
      return;
    }
  }

  #coloursOfOthers(): Set<number> {
    const colours = new Set<number>();
    for (const player of this.#party.players) {
      const profile = this.#match.profiles.get(player);
      if (profile !== undefined) colours.add(profile.colour);
    }
    return colours;
  }

  async #met(): Promise<void> {
    try {
      const { tiles, conflicts } = await this.#match.endMerge();
      if (tiles.length < FEWEST_MERGED && conflicts.length === 0) return;
      this.#emit({ kind: 'merged', tiles, conflicts });
    } catch (error) {
      this.#fail(error);
    }
  }

  #botIds(): string[] {
    return Array.from({ length: BOTS }, (_, index) => botId(this.me, index));
  }

  #profileOf(player: string): Profile {
    return this.#match?.profiles.get(player) ?? UNKNOWN;
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#emit({
      kind: 'trouble',
      error: error instanceof Error ? error : new Error(String(error)),
    });
  }

  #emit(event: GameEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Commits of phones whose clock is a day ahead are still of the game. */
const FUTURE_TOLERANCE_MS = 25 * 60 * 60 * 1000;

const UNKNOWN: Profile = { name: 'somebody', colour: 0 };
const NAMES = [
  'Ash',
  'Blaze',
  'Candle',
  'Flint',
  'Glow',
  'Kindle',
  'Match',
  'Spark',
  'Tinder',
  'Wick',
];

/** Where a browser keeps nothing, as in some private windows, it lasts as long as the page. */
async function openKept(name: string, options: LedgerOptions): Promise<Ledger> {
  try {
    return await openLedger(name, options);
  } catch (error) {
    if (!(error instanceof LedgerError && error.code === 'no-storage')) throw error;
    return openLedger(name, { ...options, storage: 'memory' });
  }
}

/** A reload stays in the room, and brings nothing else again that was in the address. */
function keepInAddress(page: URL, address: GameAddress): void {
  const { location, history } = globalThis as Partial<Pick<Window, 'location' | 'history'>>;
  if (location === undefined || history === undefined || location.href !== page.href) return;
  history.replaceState(history.state, '', linkTo(page, address));
}
