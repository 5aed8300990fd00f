import { base64url } from 'multiformats/bases/base64';
import { RoomError } from '../errors.ts';
import { Listeners } from '../listeners.ts';
import type { Room, RoomPeer, RoomStatus } from '../room.ts';
import { joiningStatus, type RoomSettings } from '../room-settings.ts';
import type { RoomPresence } from '../rooms/presence.ts';
import { encodeValue } from '../rooms/value.ts';
import { sha256 } from '../sha256.ts';
import type { TabChannel } from './environment.ts';
import { Leadership } from './leadership.ts';
import {
  decodeRoomMessage,
  encodeRoomMessage,
  type RoomMessage,
  type RoomView,
} from './room-messages.ts';
import { ledgerClosed, type SharedSource } from './shared-source.ts';

/** How many turns of asking pass between two questions whether the tab in the room still lives. */
const TURNS = 5;
/** So many of them in a row have no answer before another tab goes into the room instead. */
const PATIENCE = 3;

const LEFT: RoomStatus = { state: 'left', signaling: [], error: undefined };

/**
 * The stay in a room of all tabs that have a ledger open: one of them is in it, the others see what it
 * sees and speak through it. When it is gone the next one goes in.
 */
export class SharedRoom implements Room {
  readonly presence: RoomPresence;
  readonly #enter: () => Room;
  readonly #channel: TabChannel;
  readonly #leadership: Leadership;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #unwatchFreezing: () => void;
  readonly #listeners = new Listeners<[room: Room]>();
  readonly #presenceListeners = new Listeners<[]>();
  readonly #messageListeners = new Listeners<[message: unknown, from: string]>();
  /** What `synced` waits for here, by its id. */
  readonly #syncs = new Map<string, { resolve: () => void; reject: (error: unknown) => void }>();
  /** Where this tab is the one in the room. */
  #room: Room | undefined;
  #view: RoomView;
  #all: ReadonlyMap<string, unknown> = new Map();
  #own: unknown;
  #isClosed = false;
  #unheard = 0;
  #frozen = false;
  #endTerm: () => void = () => {};
  #leaving: Promise<void> | undefined;

  /** @param enter goes into the room */
  constructor(source: SharedSource, settings: RoomSettings, enter: () => Room) {
    const { tabs: environment } = source;
    const name = roomName(settings, source.id);
    this.#enter = enter;
    this.#view = { id: '', status: joiningStatus(settings), peers: [] };
    this.#channel = environment.openChannel(name, (data) => this.#hear(data));
    this.#unwatchFreezing = environment.watchFreezing((frozen) => {
      this.#frozen = frozen;
    });
    const own = (): unknown => this.#own;
    this.presence = {
      set: (value) => this.#present(value),
      all: () => this.#all,
      subscribe: (listener) => this.#presenceListeners.add(listener),
      get own() {
        return own();
      },
    };
    this.#leadership = new Leadership(environment.locks, {
      name,
      lead: (lost) => this.#lead(lost),
    });
    this.#timer = setInterval(() => this.#ask(), environment.askAgainMs * TURNS);
    this.#say({ kind: 'hello' });
    source.onClosed(() => {
      this.#leaving ??= this.#leave({ ...LEFT, error: ledgerClosed() });
    });
  }

  get id(): string {
    return this.#view.id;
  }

  get status(): RoomStatus {
    return this.#view.status;
  }

  get peers(): readonly RoomPeer[] {
    return this.#view.peers;
  }

  subscribe(listener: (room: Room) => void): () => void {
    return this.#listeners.add(listener);
  }

  async synced(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#leaving !== undefined) throw new RoomError('left', 'the room was left');
    const id = crypto.randomUUID();
    const aborted = (): void => this.#syncs.get(id)?.reject(signal?.reason);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#syncs.set(id, { resolve, reject });
        signal?.addEventListener('abort', aborted);
        this.#sync(id);
      });
    } finally {
      this.#syncs.delete(id);
      signal?.removeEventListener('abort', aborted);
    }
  }

  broadcast(message: unknown): void {
    encodeValue(message);
    if (this.#room === undefined) this.#say({ kind: 'broadcast', message });
    else this.#room.broadcast(message);
  }

  onMessage(listener: (message: unknown, from: string) => void): () => void {
    return this.#messageListeners.add(listener);
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  // --- where this tab is in the room ---

  async #lead(lost: AbortSignal): Promise<boolean> {
    const room = this.#enter();
    const term = new Promise<void>((resolve) => {
      this.#endTerm = resolve;
    });
    lost.addEventListener('abort', () => this.#endTerm());
    this.#room = room;
    if (this.#own !== undefined) room.presence.set(this.#own);
    const stop = [
      room.subscribe(() => this.#look()),
      room.presence.subscribe(() => this.#lookAround()),
      room.onMessage((message, from) => {
        this.#say({ kind: 'heard', message, from });
        this.#messageListeners.tell(message, from);
      }),
    ];
    this.#look();
    for (const id of this.#syncs.keys()) this.#sync(id);
    await term;
    for (const end of stop) end();
    if (this.#room === room) this.#room = undefined;
    await room.leave().catch(() => {});
    return true;
  }

  #look(): void {
    const room = this.#room;
    if (room === undefined) return;
    const { id, status, peers } = room;
    this.#say({ kind: 'view', view: { id, status, peers } });
    this.#show({ id, status, peers });
    // By itself, because its ledger was closed or failed.
    if (status.state === 'left') this.#leaving ??= this.#leave(status);
  }

  #lookAround(): void {
    if (this.#room === undefined) return;
    const others = [...this.#room.presence.all()];
    this.#say({ kind: 'presence', others, own: this.#own });
    this.#showPresence(others);
  }

  // --- where another one is ---

  #hear(data: unknown): void {
    const message = decodeRoomMessage(data);
    if (message === undefined || this.#frozen) return;
    switch (message.kind) {
      case 'hello':
        // Timers of a frozen tab stand still: it does not say that it lives.
        setTimeout(() => {
          this.#look();
          this.#lookAround();
        });
        return;
      case 'view':
        this.#unheard = 0;
        if (this.#room !== undefined) return;
        if (message.view.id !== this.#view.id) {
          // Another one than before: it has not heard who waits for what.
          for (const id of this.#syncs.keys()) this.#sync(id);
        }
        return this.#show(message.view);
      case 'presence':
        if (this.#room !== undefined) return;
        this.#own = message.own;
        return this.#showPresence(message.others);
      case 'heard':
        return this.#messageListeners.tell(message.message, message.from);
      case 'present':
        this.#own = message.value;
        return this.#room?.presence.set(message.value);
      case 'broadcast':
        return this.#room?.broadcast(message.message);
      case 'sync':
        return this.#whenSynced((error) => this.#say({ kind: 'synced', id: message.id, error }));
      case 'synced':
        return this.#settle(message.id, message.error);
    }
  }

  #sync(id: string): void {
    if (this.#room === undefined) this.#say({ kind: 'sync', id });
    else this.#whenSynced((error) => this.#settle(id, error));
  }

  /** Where this tab is in the room: calls back when that is in sync, or with why it cannot be. */
  #whenSynced(done: (error: unknown) => void): void {
    const room = this.#room;
    room?.synced().then(
      () => done(undefined),
      (error: unknown) => {
        // A room that this tab has left is another's now: that one is asked.
        if (this.#room === room) done(error);
      },
    );
  }

  #settle(id: string, error: unknown): void {
    const waiting = this.#syncs.get(id);
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(error);
  }

  #ask(): void {
    if (this.#room !== undefined || this.#frozen) return;
    if (++this.#unheard <= PATIENCE) return this.#say({ kind: 'hello' });
    this.#unheard = 0;
    this.#leadership.steal();
  }

  // --- what is seen here ---

  #show(view: RoomView): void {
    this.#view = view;
    this.#listeners.tell(this);
  }

  #showPresence(others: readonly (readonly [string, unknown])[]): void {
    this.#all = new Map(others);
    this.#presenceListeners.tell();
  }

  #present(value: unknown): void {
    if (value !== undefined) encodeValue(value);
    this.#own = value;
    this.#room?.presence.set(value);
    this.#say({ kind: 'present', value });
  }

  async #leave(status: RoomStatus = LEFT): Promise<void> {
    clearInterval(this.#timer);
    this.#unwatchFreezing();
    this.#endTerm();
    await this.#leadership.giveUp();
    this.#isClosed = true;
    this.#channel.close();
    for (const { reject } of this.#syncs.values()) {
      reject(status.error ?? new RoomError('left', 'the room was left'));
    }
    this.#show({ id: this.#view.id, status, peers: [] });
    this.#showPresence([]);
  }

  #say(message: RoomMessage): void {
    if (!this.#isClosed) this.#channel.post(encodeRoomMessage(message));
  }
}

/** The lock and the channel of those tabs that would be the same member of a room. */
function roomName({ room, secret }: RoomSettings, replicaId: Uint8Array): string {
  const parts = [room, secret ?? '', replicaId].map((part) =>
    sha256(typeof part === 'string' ? new TextEncoder().encode(part) : part),
  );
  const all = new Uint8Array(parts.flatMap((part) => [...part]));
  return `emberlink-room:${base64url.baseEncode(sha256(all))}`;
}
