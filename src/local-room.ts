import { base64url } from 'multiformats/bases/base64';
import { ProtocolError, RoomError } from './errors.ts';
import type { Replica } from './protocol/replica.ts';
import type { Session } from './protocol/session.ts';
import { Listeners } from './listeners.ts';
import type { Card } from './rooms/card.ts';
import { Introductions, THROUGH_MEMBERS } from './rooms/introductions.ts';
import { RoomKeys } from './rooms/keys.ts';
import { Mesh } from './rooms/mesh.ts';
import type { Peer, Permission } from './rooms/peer.ts';
import { LocalPresence } from './rooms/presence.ts';
import type { Room, RoomMember, RoomPeer, RoomStatus } from './room.ts';
import type { RoomSettings } from './room-settings.ts';
import type { SignalingAdapter, SignalingMembership, SignalingStatus } from './rooms/signaling.ts';
import { watchForPageEnd } from './rooms/page-end.ts';
import { RisingNumbers } from './rooms/rising-numbers.ts';
import { SignalingClient } from './rooms/signaling-client.ts';
import { decodeValue, encodeValue } from './rooms/value.ts';
import { watchForWaking } from './rooms/wake.ts';
import { webRtcLinker } from './rooms/webrtc-linker.ts';

const DEFAULT_MAX_PEERS = 12;
const DEFAULT_CONNECT_TIMEOUT_MS = 20_000;
/** After this long without an answer somebody is not waited for any more by `synced`. */
const ANSWER_TIMEOUT_MS = 5000;

/** A stay in a room with links of its own. */
export class LocalRoom implements Room {
  readonly id: string;
  readonly presence: LocalPresence;

  readonly #settings: RoomSettings;
  readonly #replica: Replica;
  readonly #card: Card;
  readonly #numbers = new RisingNumbers();
  readonly #adapters: readonly SignalingAdapter[];
  readonly #memberships: SignalingMembership[] = [];
  readonly #signaling: SignalingStatus[];
  readonly #iceServers = new Map<string, readonly RTCIceServer[]>();
  readonly #strangers = new Set<string>();
  readonly #listeners = new Listeners<[room: Room]>();
  readonly #messageListeners = new Listeners<[message: unknown, from: string]>();
  #inner: { introductions: Introductions; mesh: Mesh; unwatch: () => void } | undefined;
  #everJoined = false;
  #error: RoomError | undefined;
  #left = false;
  #leaving: Promise<void> | undefined;
  /** What others see, until something changes. */
  #seen: { readonly status: RoomStatus; readonly peers: readonly RoomPeer[] } | undefined;
  #telling = false;

  constructor(replica: Replica, settings: RoomSettings, id: string) {
    this.id = id;
    this.#replica = replica;
    this.#settings = settings;
    this.#adapters = settings.signaling.map((each) =>
      typeof each === 'string' ? new SignalingClient(each, settings) : each,
    );
    this.#signaling = this.#adapters.map(() => ({ state: 'connecting' }));
    this.#card = {
      id: this.id,
      replica: base64url.baseEncode(replica.id ?? new Uint8Array(0)),
      startedAt: Date.now(),
      access: settings.access ?? 'write',
      info: settings.info,
    };
    this.presence = new LocalPresence({
      self: this.id,
      nextNumber: () => this.#numbers.next(),
      spread: (message) => this.#inner?.mesh.spread(message),
    });
    this.#begin().catch((error: unknown) => this.#fail(error));
  }

  get status(): RoomStatus {
    return this.#look().status;
  }

  get peers(): readonly RoomPeer[] {
    return this.#look().peers;
  }

  subscribe(listener: (room: Room) => void): () => void {
    return this.#listeners.add(listener);
  }

  async synced(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    const since = performance.now();
    for (;;) {
      signal?.throwIfAborted();
      const obstacle = this.#obstacle(performance.now() - since);
      if (obstacle instanceof Error) throw obstacle;
      if (obstacle === undefined && (await this.#sessionsSynced(signal))) return;
      await this.#nextChange(signal);
    }
  }

  broadcast(message: unknown): void {
    const value = encodeValue(message);
    const number = this.#numbers.next();
    this.#inner?.mesh.spread({ kind: 'event', from: this.id, number, value });
  }

  onMessage(listener: (message: unknown, from: string) => void): () => void {
    return this.#messageListeners.add(listener);
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  // --- inside ---

  async #begin(): Promise<void> {
    const { room, secret } = this.#settings;
    const keys = await RoomKeys.derive(room, secret);
    if (this.#left) return;
    const introductions = new Introductions(keys, this.#card, this.#numbers, {
      met: (card) => mesh.met(card),
      said: (from, body) => mesh.said(from, body),
      left: (id) => mesh.left(id),
      stranger: (way, address) => {
        this.#strangers.add(`${way} ${address}`);
        this.#error ??= new RoomError(
          'wrong-secret',
          'somebody in the room has another secret: its envelopes cannot be opened',
        );
        this.#changed();
      },
    });
    const mesh = new Mesh(this.#meshOptions(), introductions, {
      changed: () => this.#changed(),
      heard: (message) => {
        if (message.kind === 'presence') this.presence.hear(message);
        else this.#hearEvent(message.from, message.value);
      },
      linked: (id) => {
        for (const message of this.presence.messages()) mesh.tell(id, message);
      },
      failed: (error) => this.#fail(error),
      woke: () => this.#wake(),
      quiet: () => this.#wakeSignaling(),
    });
    introductions.addWay(THROUGH_MEMBERS, (to, data) => mesh.relay(to, data));
    const watches = [watchForWaking(() => this.#wake()), watchForPageEnd(() => this.#goWithPage())];
    const unwatch = (): void => watches.forEach((end) => end());
    this.#inner = { introductions, mesh, unwatch };
    for (const [index, adapter] of this.#adapters.entries()) {
      this.#join(introductions, keys.id, index, adapter);
    }
  }

  #join(
    introductions: Introductions,
    room: string,
    index: number,
    adapter: SignalingAdapter,
  ): void {
    const way = `${index} ${adapter.name}`;
    const proof = base64url.baseEncode(crypto.getRandomValues(new Uint8Array(32)));
    introductions.addWay(way, (to, data) => this.#memberships[index]?.send(to, data));
    this.#memberships[index] = adapter.join(
      { room, proof },
      {
        status: (status) => {
          this.#signaling[index] = status;
          if (status.state === 'joined') this.#everJoined = true;
          this.#changed();
        },
        joined: (members, iceServers) => {
          if (iceServers !== undefined) this.#iceServers.set(way, iceServers as RTCIceServer[]);
          introductions.present(way, members);
          this.#changed();
        },
        entered: (member) => introductions.entered(way, member),
        left: (member) => {
          this.#strangers.delete(`${way} ${member}`);
          introductions.gone(way, member);
          this.#changed();
        },
        message: (from, data) => introductions.hear(way, from, data),
      },
    );
  }

  #meshOptions(): ConstructorParameters<typeof Mesh>[0] {
    const { compression, helloTimeoutMs } = this.#settings;
    return {
      replica: this.#replica,
      linker: this.#settings.linker ?? webRtcLinker(this.#settings),
      card: this.#card,
      numbers: this.#numbers,
      maxPeers: this.#settings.maxPeers ?? DEFAULT_MAX_PEERS,
      connectTimeoutMs: this.#settings.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      iceServers: () => {
        const given = [
          ...(this.#settings.iceServers ?? []),
          ...[...this.#iceServers.values()].flat(),
        ];
        return this.#settings.iceServers === undefined && given.length === 0 ? undefined : given;
      },
      authorize: (card) => this.#authorize(card),
      session: {
        ...(compression === undefined ? {} : { compression }),
        ...(helloTimeoutMs === undefined ? {} : { helloTimeoutMs }),
      },
    };
  }

  async #authorize(card: Card): Promise<Permission> {
    const answer = (await this.#settings.authorize?.(memberOf(card))) ?? true;
    if (answer === false) return 'refused';
    return answer === 'read' ? 'read' : 'write';
  }

  #hearEvent(from: string, value: Uint8Array): void {
    this.#messageListeners.tell(decodeValue(value), from);
  }

  #wake(): void {
    this.#wakeSignaling();
    this.#inner?.mesh.wake();
  }

  #wakeSignaling(): void {
    for (const membership of this.#memberships) membership.wake();
  }

  /** Says goodbye as far as a page can that has only this moment. What it is in now is of no use to it. */
  #goWithPage(): void {
    this.#inner?.mesh.sayLeaving();
    this.#inner?.introductions.byeAtOnce();
    for (const membership of this.#memberships) membership.leave();
  }

  async #leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    const inner = this.#inner;
    if (inner !== undefined) {
      inner.unwatch();
      // Those who are linked hear it over their links, when they have got what was written before.
      await inner.mesh.close();
      await inner.introductions.bye();
      inner.introductions.close();
    }
    for (const membership of this.#memberships) membership.leave();
    this.presence.close();
    this.#changed();
  }

  #fail(error: unknown): void {
    this.#error = new RoomError('left', 'the room was left because its ledger failed', {
      cause: error,
    });
    this.leave().catch(() => {});
  }

  // --- what others see ---

  /** Something of what others see may have changed: they look once for all changes of this turn. */
  #changed(): void {
    this.#seen = undefined;
    const mesh = this.#inner?.mesh;
    this.presence.keepOnly((id) => mesh?.peers.get(id)?.hasLeft === false);
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.#listeners.tell(this);
    });
  }

  #look(): { readonly status: RoomStatus; readonly peers: readonly RoomPeer[] } {
    if (this.#seen === undefined) {
      const peers = this.#peersNow();
      this.#seen = { peers, status: this.#statusNow(peers) };
    }
    return this.#seen;
  }

  #peersNow(): readonly RoomPeer[] {
    const mesh = this.#inner?.mesh;
    if (mesh === undefined || this.#left) return [];
    const there = [...mesh.peers].filter(([, { hasLeft }]) => !hasLeft);
    const peers = there.map(([id, peer]) => roomPeer(peer, mesh.isWanted(id)));
    return peers.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #statusNow(peers: readonly RoomPeer[]): RoomStatus {
    if (this.#strangers.size === 0 && this.#error?.code === 'wrong-secret') this.#error = undefined;
    const signaling = this.#adapters.map(({ name }, index) => ({
      name,
      status: this.#signaling[index]!,
    }));
    return { state: this.#stateNow(peers), signaling, error: this.#error ?? this.#unauthorized() };
  }

  #stateNow(peers: readonly RoomPeer[]): RoomStatus['state'] {
    if (this.#left) return 'left';
    const states = peers.map(({ state }) => state);
    if (states.includes('syncing')) return 'syncing';
    if (states.includes('live')) return 'live';
    const isJoined = this.#signaling.some(({ state }) => state === 'joined');
    if (isJoined) return states.includes('connecting') ? 'connecting' : 'alone';
    const isTrying = this.#signaling.some(({ state }) => state === 'connecting');
    return isTrying && !this.#everJoined ? 'joining' : 'offline';
  }

  /** The error of servers that do not let us in, when none does. */
  #unauthorized(): RoomError | undefined {
    const errors = this.#signaling.map((status) =>
      status.state === 'waiting' && status.error instanceof RoomError ? status.error : undefined,
    );
    return errors.every((error) => error?.code === 'unauthorized') ? errors[0] : undefined;
  }

  // --- synced ---

  /** What stands between this member and being in sync: something to wait for, or an error. */
  #obstacle(waitedMs: number): 'wait' | RoomError | undefined {
    if (this.#left) return this.#error ?? new RoomError('left', 'the room was left');
    const inner = this.#inner;
    if (inner === undefined) return 'wait';
    const linked = this.peers.some(({ state }) => state === 'live' || state === 'syncing');
    if (!linked) {
      const { error } = this.status;
      if (error?.code === 'unauthorized') return error;
      if (!this.#signaling.some(({ state }) => state === 'joined')) return 'wait';
      if (this.peers.length === 0 && inner.introductions.unanswered === 0 && error) return error;
    }
    const isUnderWay = inner.mesh.pending > 0 || inner.introductions.unanswered > 0;
    return isUnderWay && waitedMs < ANSWER_TIMEOUT_MS ? 'wait' : undefined;
  }

  /** False when one of the sessions ended meanwhile. */
  async #sessionsSynced(signal: AbortSignal | undefined): Promise<boolean> {
    const sessions = [...(this.#inner?.mesh.peers.values() ?? [])].flatMap(({ state, hasLeft }) =>
      state.kind === 'linked' && !hasLeft ? [state.link.session] : [],
    );
    const options = signal === undefined ? {} : { signal };
    const results = await Promise.allSettled(
      sessions.map((session) => sessionSynced(session, options)),
    );
    signal?.throwIfAborted();
    return results.every(({ status }) => status === 'fulfilled');
  }

  #nextChange(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        unsubscribe();
        clearTimeout(timer);
        signal?.removeEventListener('abort', settle);
        resolve();
      };
      // Time changes what is waited for too.
      const timer = setTimeout(settle, 250);
      const unsubscribe = this.subscribe(settle);
      signal?.addEventListener('abort', settle);
    });
  }
}

// --- helpers ---

async function sessionSynced(session: Session, options: { signal?: AbortSignal }): Promise<void> {
  await session.firstSync(options);
  try {
    await session.synced(options);
  } catch (error) {
    // Such a member takes nothing from us, and so there is nothing that it could still have to store.
    if (!(error instanceof ProtocolError && error.code === 'read-only')) throw error;
  }
}

function memberOf({ id, replica, info, access }: Card): RoomMember {
  return { id, replica, info: parseInfo(info), access };
}

function parseInfo(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function roomPeer(peer: Peer, isWanted: boolean): RoomPeer {
  const { state } = peer;
  const member = memberOf(peer.card);
  const roundTripMs = state.kind === 'linked' ? state.link.roundTripMs : undefined;
  const error = state.kind === 'refused' ? state.error : peer.error;
  return { ...member, state: stateOf(peer, isWanted), roundTripMs, error };
}

function stateOf({ state }: Peer, isWanted: boolean): RoomPeer['state'] {
  switch (state.kind) {
    case 'idle':
    case 'called':
      return isWanted ? 'connecting' : 'indirect';
    case 'connecting':
      return 'connecting';
    case 'linked':
      return state.link.state.kind === 'live' ? 'live' : 'syncing';
    case 'refused':
      return 'refused';
  }
}
