import { RoomError } from './errors.ts';
import { Listeners } from './listeners.ts';
import type { Replica } from './protocol/replica.ts';
import type { Room, RoomPeer, RoomStatus } from './room.ts';
import { joiningStatus, type RoomSettings } from './room-settings.ts';
import { Backoff } from './rooms/backoff.ts';
import { createMemberId } from './rooms/card.ts';
import type { RoomPresence } from './rooms/presence.ts';
import { encodeValue } from './rooms/value.ts';
import { watchForWaking } from './rooms/wake.ts';
import { isSharedSource, ledgerClosed } from './tabs/shared-source.ts';
import { tell } from './tell.ts';

const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 30_000;

const NO_PEERS: readonly RoomPeer[] = [];

/** What is loaded: see `startRoom`. */
interface RoomMachinery {
  readonly startRoom: (replica: Replica, settings: RoomSettings, id: string) => Room;
}

type State =
  /** It is being loaded, or that has failed and waits for the next attempt. */
  | { readonly kind: 'outside'; readonly status: RoomStatus; readonly stopWaiting: () => void }
  | { readonly kind: 'inside'; readonly room: Room }
  /** Before it was loaded. */
  | { readonly kind: 'left'; readonly status: RoomStatus };

/** A stay in a room that is loaded first. It takes at once all that a room does. */
export class LazyRoom implements Room {
  readonly presence: LazyPresence = new LazyPresence();
  readonly #id: string;
  readonly #load: () => Promise<RoomMachinery>;
  readonly #replica: Replica;
  readonly #settings: RoomSettings;
  readonly #backoff = new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS);
  readonly #listeners = new Listeners<[room: Room]>();
  readonly #messageListeners = new Listeners<[message: unknown, from: string]>();
  #state: State;

  /** @param load rejects with a RoomError `not-loaded`; it is called again then */
  constructor(replica: Replica, settings: RoomSettings, load: () => Promise<RoomMachinery>) {
    this.#load = load;
    this.#replica = replica;
    this.#settings = settings;
    this.#state = { kind: 'outside', status: joiningStatus(settings), stopWaiting: () => {} };
    const isShared = isSharedSource(replica);
    this.#id = isShared ? '' : createMemberId();
    if (isShared) replica.onClosed(() => this.#end(ledgerClosed()));
    this.#enter();
  }

  get id(): string {
    return this.#state.kind === 'inside' ? this.#state.room.id : this.#id;
  }

  get status(): RoomStatus {
    return this.#state.kind === 'inside' ? this.#state.room.status : this.#state.status;
  }

  get peers(): readonly RoomPeer[] {
    return this.#state.kind === 'inside' ? this.#state.room.peers : NO_PEERS;
  }

  subscribe(listener: (room: Room) => void): () => void {
    return this.#listeners.add(listener);
  }

  async synced(options: { signal?: AbortSignal } = {}): Promise<void> {
    const room = await this.#whenInside(options.signal);
    return room.synced(options);
  }

  broadcast(message: unknown): void {
    // From outside nobody hears it, but what is wrong with it is told.
    if (this.#state.kind === 'inside') this.#state.room.broadcast(message);
    else encodeValue(message);
  }

  onMessage(listener: (message: unknown, from: string) => void): () => void {
    return this.#messageListeners.add(listener);
  }

  async leave(): Promise<void> {
    if (this.#state.kind === 'inside') return this.#state.room.leave();
    this.#end(undefined);
  }

  // --- going in ---

  #enter(): void {
    this.#load().then(
      ({ startRoom }) => this.#start(startRoom),
      (error: RoomError) => this.#enterLater(error),
    );
  }

  #start(startRoom: RoomMachinery['startRoom']): void {
    if (this.#state.kind !== 'outside') return;
    let room: Room;
    try {
      room = startRoom(this.#replica, this.#settings, this.#id);
    } catch (cause) {
      return this.#end(new RoomError('left', 'the room could not be entered', { cause }));
    }
    this.#state = { kind: 'inside', room };
    room.subscribe(() => this.#listeners.tell(this));
    room.onMessage((message, from) => this.#messageListeners.tell(message, from));
    this.presence.goThrough(room.presence);
    this.#listeners.tell(this);
  }

  #enterLater(error: RoomError): void {
    if (this.#state.kind !== 'outside') return;
    const retryMs = this.#backoff.next();
    const again = (): void => {
      stopWaiting();
      this.#enter();
    };
    const timer = setTimeout(again, retryMs);
    const unwatch = watchForWaking(again);
    const stopWaiting = (): void => {
      clearTimeout(timer);
      unwatch();
    };
    const signaling = this.status.signaling.map(({ name }) => {
      return { name, status: { state: 'waiting', retryMs, error } as const };
    });
    const status: RoomStatus = { state: 'offline', signaling, error };
    this.#state = { kind: 'outside', status, stopWaiting };
    this.#listeners.tell(this);
  }

  /** Leaves before it was loaded. */
  #end(error: RoomError | undefined): void {
    if (this.#state.kind !== 'outside') return;
    this.#state.stopWaiting();
    this.#state = { kind: 'left', status: { ...this.#state.status, state: 'left', error } };
    this.#listeners.tell(this);
  }

  #whenInside(signal: AbortSignal | undefined): Promise<Room> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const state = this.#state;
        if (signal?.aborted === true) reject(signal.reason as Error);
        else if (state.kind === 'inside') resolve(state.room);
        else if (state.kind === 'left') {
          reject(state.status.error ?? new RoomError('left', 'the room was left'));
        } else return;
        unsubscribe();
        signal?.removeEventListener('abort', look);
      };
      const unsubscribe = this.#listeners.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }
}

/** Keeps one's own value until there is a room to show it in. */
class LazyPresence implements RoomPresence {
  readonly #listeners = new Listeners<[]>();
  #presence: RoomPresence | undefined;
  #given: { readonly value: unknown } | undefined;
  readonly #nobody: ReadonlyMap<string, unknown> = new Map();

  set(value: unknown): void {
    if (this.#presence !== undefined) return this.#presence.set(value);
    if (value !== undefined) encodeValue(value);
    this.#given = { value };
  }

  get own(): unknown {
    return this.#presence === undefined ? this.#given?.value : this.#presence.own;
  }

  all(): ReadonlyMap<string, unknown> {
    return this.#presence?.all() ?? this.#nobody;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  // --- for the room ---

  goThrough(presence: RoomPresence): void {
    this.#presence = presence;
    presence.subscribe(() => this.#listeners.tell());
    // It was checked when it was set: one that has become wrong since is its owner's bug.
    if (this.#given !== undefined) tell(({ value }) => presence.set(value), this.#given);
  }
}
