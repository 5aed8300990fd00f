import type { Room, RoomPeer } from '../index.ts';
import { describeError } from './errors.ts';
import type { PeerEvent } from './peer-events.ts';

/** Tells what has changed in a room, each thing once. */
export class RoomWatch {
  readonly #say: (event: PeerEvent) => void;
  readonly #unsubscribe: () => void;
  /** What was told last, by server, */
  readonly #servers = new Map<string, string>();
  /** and by peer. */
  readonly #peers = new Map<string, { readonly peer: RoomPeer; readonly told: string }>();
  #toldWrongSecret = false;

  constructor(room: Room, say: (event: PeerEvent) => void) {
    this.#say = say;
    this.#unsubscribe = room.subscribe(() => this.#look(room));
  }

  close(): void {
    this.#unsubscribe();
  }

  #look(room: Room): void {
    // Goodbyes of one's own are no news.
    if (room.status.state === 'left') return;
    this.#lookAtServers(room);
    this.#lookAtPeers(room.peers);
    const { error } = room.status;
    // Of `unauthorized` the servers' lines have told.
    const isWrongSecret = error?.code === 'wrong-secret';
    if (isWrongSecret && !this.#toldWrongSecret) {
      this.#say({ event: 'error', error: describeError(error) });
    }
    this.#toldWrongSecret = isWrongSecret;
  }

  #lookAtServers(room: Room): void {
    for (const { name, status } of room.status.signaling) {
      // Between two attempts it tells nothing new.
      if (status.state === 'connecting') continue;
      const told = status.state === 'joined' ? 'joined' : status.error.message;
      if (this.#servers.get(name) === told) continue;
      this.#servers.set(name, told);
      if (status.state === 'joined') {
        this.#say({ event: 'joined', server: name });
      } else {
        const { retryMs, error } = status;
        this.#say({ event: 'waiting', server: name, retryMs, error: describeError(error) });
      }
    }
  }

  #lookAtPeers(peers: readonly RoomPeer[]): void {
    for (const peer of peers) {
      const { state } = peer;
      // Of one that is linked again it tells how the last link ended.
      const isApart = state === 'connecting' || state === 'refused';
      const error = isApart ? peer.error : undefined;
      const told = `${state} ${error?.message ?? ''}`;
      if (this.#peers.get(peer.id)?.told === told) continue;
      this.#peers.set(peer.id, { peer, told });
      this.#sayPeer(peer, state, error);
    }
    const present = new Set(peers.map(({ id }) => id));
    for (const [id, { peer }] of this.#peers) {
      if (present.has(id)) continue;
      this.#peers.delete(id);
      this.#sayPeer(peer, 'gone', undefined);
    }
  }

  #sayPeer(
    { id, replica, info, access }: RoomPeer,
    state: RoomPeer['state'] | 'gone',
    error: Error | undefined,
  ): void {
    const peer = { id, replica, info, access };
    this.#say({
      event: 'peer',
      state,
      peer,
      ...(error === undefined ? {} : { error: describeError(error) }),
    });
  }
}
