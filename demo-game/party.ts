import {
  joinRoom,
  type IncomingChange,
  type Ledger,
  type Linker,
  type Room,
  type RoomPeer,
  type SignalingAdapter,
} from 'emberlink';
import { isPlayerId, kindOf } from './documents.ts';
import { FAST_MS, WIDE_MS, type Spark } from './glide.ts';
import type { Connection } from './scene.ts';
import type { SharedClock } from './shared-clock.ts';
import { Track } from './track.ts';
import { COLUMNS, ROWS, turned } from './world.ts';

export interface PartyOptions {
  readonly ledger: Ledger;
  readonly player: string;
  /** What the inspector calls one, among others. */
  readonly name: () => string;
  readonly room: string;
  readonly key: string;
  readonly signaling: readonly (string | SignalingAdapter)[];
  readonly iceServers?: readonly RTCIceServer[];
  readonly linker?: Linker;
  readonly clock: SharedClock;
  /** One's own clock, which others are shown, in milliseconds since 1970. */
  readonly ownTime: () => number;
  readonly listener: PartyListener;
}

export interface PartyListener {
  came(player: string): void;
  left(player: string): void;
  connectionChanged(connection: Connection): void;
  /** Somebody comes, or is met again; `here`: with whom one is in sync until now. */
  meeting(here: ReadonlySet<string>): void;
  /** What those who met lacked of each other is here. */
  met(): Promise<void>;
}

/** Who is not heard of for so long is away: asleep, perhaps. */
const AWAY_MS = 3_000;
/** Who has just joined may be told of somebody for so long. */
const JOINING_MS = 5_000;
/** The name of `PastedSignaling` among the servers. */
const PASTED = 'pasted';
/** A way there and back, until it is measured. */
const USUAL_ROUND_TRIP_MS = 60;

/** One's stay in the room: who else is there and where, and the plug. */
export class Party {
  readonly #options: PartyOptions;
  readonly #tracks = new Map<string, Track>();
  readonly #heard = new Map<string, unknown>();
  #seen: ReadonlySet<string> = new Set();
  #meetings = 0;
  /** Peers that one was linked with. */
  #linked: ReadonlySet<string> = new Set();
  #players: ReadonlySet<string> = new Set();
  #room: Room | undefined;
  #stops: (() => void)[] = [];
  #pluggedAtMs = 0;
  #connection: Connection = { state: 'alone' };
  #isPlugged = false;

  constructor(options: PartyOptions) {
    this.#options = options;
  }

  get room(): Room | undefined {
    return this.#room;
  }

  get connection(): Connection {
    return this.#connection;
  }

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  plug(): void {
    if (this.#isPlugged) return;
    this.#isPlugged = true;
    this.#pluggedAtMs = performance.now();
    const { ledger, player, name, room, key, signaling, iceServers, linker } = this.#options;
    const joined = joinRoom(ledger, {
      room,
      secret: key,
      signaling,
      info: { player, name: name() },
      validate: refuseNonsense,
      ...(iceServers === undefined ? {} : { iceServers }),
      ...(linker === undefined ? {} : { linker }),
    });
    this.#room = joined;
    this.#stops = [
      joined.subscribe(() => this.#look()),
      joined.presence.subscribe(() => this.#hear()),
    ];
    this.#look();
  }

  async unplug(): Promise<void> {
    this.#isPlugged = false;
    for (const stop of this.#stops.splice(0)) stop();
    const room = this.#room;
    this.#room = undefined;
    this.#look();
    await room?.leave();
  }

  /** Shows the others where one is. */
  show(spark: Spark): void {
    this.#room?.presence.set({
      x: Math.round(spark.x * 100),
      y: Math.round(spark.y * 100),
      h: Math.round(spark.heading * 1000),
      f: Math.ceil(spark.fastMs),
      w: Math.ceil(spark.wideMs),
      t: Math.round(this.#options.ownTime()),
    });
  }

  /** Others that one is in sync with, or will be soon. */
  get players(): ReadonlySet<string> {
    return this.#players;
  }

  isAwake(player: string, nowMs: number): boolean {
    const track = this.#tracks.get(player);
    return track !== undefined && nowMs - track.heardAt < AWAY_MS;
  }

  /** Writes where somebody's spark is into `spark`; false for one that is away. */
  sparkOf(player: string, nowMs: number, spark: Spark): boolean {
    return this.isAwake(player, nowMs) && this.#tracks.get(player)!.at(nowMs, spark);
  }

  /** One's place among those that are awake, by id: 0 for the first. */
  place(nowMs: number): number {
    let place = 0;
    for (const player of this.#players) {
      if (player < this.#options.player && this.isAwake(player, nowMs)) place++;
    }
    return place;
  }

  /** Whether what is played here may be what is played: nobody is about to be heard of. */
  isSettled(nowMs: number): boolean {
    if (this.#room === undefined || nowMs - this.#pluggedAtMs > JOINING_MS) return true;
    const { status } = this.#room;
    if (status.signaling.some((server) => server.status.state === 'connecting')) return false;
    switch (status.state) {
      case 'alone':
      case 'live':
      case 'offline':
      case 'left':
        return true;
      case 'joining':
      case 'connecting':
      case 'syncing':
        return false;
    }
  }

  #look(): void {
    const peers = this.#room?.peers ?? [];
    const linked = peers.filter(isLinked);
    const before = this.#linked;
    const playersBefore = this.#players;
    this.#linked = new Set(linked.map(({ id }) => id));
    this.#players = new Set(linked.map(playerOf).filter((player) => player !== undefined));
    for (const player of this.#players) {
      if (!playersBefore.has(player)) this.#options.listener.came(player);
    }
    for (const player of playersBefore) {
      if (this.#players.has(player)) continue;
      this.#tracks.delete(player);
      this.#options.listener.left(player);
    }
    this.#options.clock.keepOnly(this.#players);
    // Before they are linked, or linked again, so that nothing that they bring is missed.
    const isComing = peers.some(({ id }) => !this.#seen.has(id));
    const isLost = peers.some((peer) => before.has(peer.id) && !isLinked(peer));
    if (isComing) this.#options.listener.meeting(playersBefore);
    else if (isLost) this.#options.listener.meeting(this.#players);
    this.#seen = new Set(peers.map(({ id }) => id));
    if (linked.some(({ id }) => !before.has(id))) void this.#meet();
    const connection = this.#connectionNow(this.#players.size);
    if (JSON.stringify(connection) === JSON.stringify(this.#connection)) return;
    this.#connection = connection;
    this.#options.listener.connectionChanged(connection);
  }

  async #meet(): Promise<void> {
    this.#meetings++;
    try {
      await this.#room?.synced();
    } catch {
      // One has left meanwhile; what has come has come.
    }
    if (--this.#meetings > 0) return;
    await this.#options.listener.met();
    const isAnyOneComing = this.#room?.peers.some(({ state }) => state === 'connecting') ?? false;
    if (isAnyOneComing) this.#options.listener.meeting(this.#players);
  }

  #connectionNow(others: number): Connection {
    if (!this.#isPlugged) return { state: 'unplugged' };
    if (others > 0) return { state: 'playing', others };
    const status = this.#room?.status;
    switch (status?.state) {
      case 'joining':
      case 'connecting':
      case 'syncing':
        return { state: 'connecting' };
      case 'offline':
        return { state: 'offline' };
      case 'alone':
      case 'live':
      case 'left':
      case undefined:
        break;
    }
    // By pasting one is never offline: that is for servers to say.
    const servers = (status?.signaling ?? []).filter(({ name }) => name !== PASTED);
    if (servers.some((server) => server.status.state === 'joined')) return { state: 'alone' };
    if (servers.some((server) => server.status.state === 'connecting')) {
      return { state: 'connecting' };
    }
    return { state: servers.length > 0 ? 'offline' : 'alone' };
  }

  #hear(): void {
    const room = this.#room;
    if (room === undefined) return;
    const { clock } = this.#options;
    const values = room.presence.all();
    for (const [id, value] of values) {
      if (this.#heard.get(id) === value) continue;
      this.#heard.set(id, value);
      const peer = room.peers.find((each) => each.id === id);
      const presence = readPresence(value);
      const player = peer === undefined ? undefined : playerOf(peer);
      if (presence === undefined || peer === undefined || player === undefined) continue;
      let track = this.#tracks.get(player);
      if (track === undefined) this.#tracks.set(player, (track = new Track()));
      track.hear(presence.spark, presence.sentAt, performance.now());
      clock.hear(player, presence.sentAt, peer.roundTripMs ?? USUAL_ROUND_TRIP_MS);
    }
    for (const id of this.#heard.keys()) if (!values.has(id)) this.#heard.delete(id);
  }
}

function isLinked({ state }: RoomPeer): boolean {
  switch (state) {
    case 'syncing':
    case 'live':
    case 'indirect':
      return true;
    case 'connecting':
    case 'refused':
      return false;
  }
}

function readPresence(value: unknown): { spark: Spark; sentAt: number } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { x, y, h, f, w, t } = value as Record<string, unknown>;
  if (!isWithin(x, COLUMNS * 100) || !isWithin(y, ROWS * 100) || !isWithin(t, Infinity)) {
    return undefined;
  }
  if (typeof h !== 'number' || !isWithin(f, FAST_MS) || !isWithin(w, WIDE_MS)) return undefined;
  const spark = { x: x / 100, y: y / 100, heading: turned(h / 1000), fastMs: f, wideMs: w };
  return { spark, sentAt: t };
}

function isWithin(value: unknown, most: number): value is number {
  return typeof value === 'number' && value >= 0 && value <= most;
}

const MOST_FIELDS = 64;
const MOST_LETTERS = 16 * 1024;

/** Gross nonsense is not even stored. What is odd in small is passed over when it is read. */
function refuseNonsense(incoming: IncomingChange): string | undefined {
  if (incoming.kind === 'snapshot') return undefined;
  for (const operation of incoming.operations) {
    if (kindOf(operation.id) === undefined) return `'${operation.id}' is nothing of this game`;
    if (operation.kind === 'delete') continue;
    const { set } = operation;
    if (Object.keys(set).length > MOST_FIELDS) return `too many fields in '${operation.id}'`;
    if (lengthOf(set) > MOST_LETTERS) return `too much in '${operation.id}'`;
  }
  return undefined;
}

/** About how long a value is. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let length = 8;
  for (const [key, each] of Object.entries(value)) length += key.length + lengthOf(each);
  return length;
}

/** Strangers may say anything of themselves. */
function playerOf({ info }: RoomPeer): string | undefined {
  const player =
    typeof info === 'object' && info !== null && 'player' in info ? info.player : undefined;
  return isPlayerId(player) ? player : undefined;
}
