import type { RoomError } from './errors.ts';
import type { Validate } from './ledger/guard.ts';
import type { Linker } from './rooms/link.ts';
import type { RoomPresence } from './rooms/presence.ts';
import type { SignalingAdapter, SignalingStatus } from './rooms/signaling.ts';
import type { SignalingClientOptions } from './rooms/signaling-client.ts';
import type { WebRtcLinkerOptions } from './rooms/webrtc-linker.ts';

export interface RoomOptions extends SignalingClientOptions, WebRtcLinkerOptions {
  /** The room's name, which all members know. Servers are shown its hash. 1 to 256 bytes. */
  readonly room: string;
  /**
   * What makes one a member: a string of `createRoomSecret`, a passphrase, or at least 16 bytes.
   * Without one everybody who knows the room's name is a member, and a server that guesses the name
   * can be one too.
   */
  readonly secret?: string | Uint8Array;
  /** The URL of a signaling server, or something else that introduces members, or several of them. */
  readonly signaling: string | SignalingAdapter | readonly (string | SignalingAdapter)[];
  /** What others see of this member in `Room.peers`: JSON of up to 1,024 characters. */
  readonly info?: unknown;
  /** `read`: gets what others write, and what it writes itself stays here. Default `write`. */
  readonly access?: 'read' | 'write';
  /**
   * Up to so many others all are linked with all; beyond it each with about so many. At least 2,
   * default 12.
   */
  readonly maxPeers?: number;
  /** STUN and TURN servers, beside those that the signaling server hands out. */
  readonly iceServers?: readonly RTCIceServer[];
  /** How long one attempt at a link may take. Default 20,000. */
  readonly connectTimeoutMs?: number;
  /** See `SyncOptions`. */
  readonly compression?: 'auto' | 'always' | 'never';
  /** See `SyncOptions`. */
  readonly helloTimeoutMs?: number;
  /**
   * Asked once about each member before it is linked with: false refuses it, `read` takes nothing
   * that it brings. An error refuses too.
   */
  readonly authorize?: (peer: RoomMember) => Authorization | Promise<Authorization>;
  /**
   * Asked about each change of others before it is stored: false, a reason or an error refuses it, and
   * ends the link that brought it. Only for a ledger. All members should have the same rules: who
   * hands on what we refuse is refused too. See `guardReplica`.
   */
  readonly validate?: Validate;
  /** Makes the links. Default: WebRTC. */
  readonly linker?: Linker;
}

export type Authorization = boolean | 'read' | 'write';

/** Who somebody is, as it says itself to those who know the secret. */
export interface RoomMember {
  /** Of this stay: another one after a reload. */
  readonly id: string;
  /** Of its ledger, in base64url: the same after a reload. Empty where it has none. */
  readonly replica: string;
  readonly info: unknown;
  readonly access: 'read' | 'write';
}

export interface RoomPeer extends RoomMember {
  /**
   * `connecting`: on the way to a link; `syncing`: each side gets what it lacks; `live`: writes travel
   * as they happen; `indirect`: in sync by way of others; `refused`: one side does not want it.
   */
  readonly state: 'connecting' | 'syncing' | 'live' | 'indirect' | 'refused';
  /** There and back over the link, once measured. */
  readonly roundTripMs: number | undefined;
  /** Why it is refused, or why the last link or attempt at one ended. */
  readonly error: Error | undefined;
}

export interface RoomStatus {
  /**
   * `joining`: no server has answered yet; `alone`: nobody else is there; `connecting`: others are
   * there, and no link yet; `syncing`: linked, and something is still lacking; `live`: in sync with
   * all that are linked; `offline`: no server can be reached, and nobody is linked; `left`: over.
   */
  readonly state: 'joining' | 'alone' | 'connecting' | 'syncing' | 'live' | 'offline' | 'left';
  readonly signaling: readonly { readonly name: string; readonly status: SignalingStatus }[];
  /**
   * `wrong-secret`: somebody in the room has another secret; `unauthorized`: a server does not let us
   * in; `not-loaded`: what rooms need of this library could not be loaded, and is tried again; `left`
   * with a cause: the ledger was closed.
   */
  readonly error: RoomError | undefined;
}

/** A stay in a room: see `joinRoom`. */
export interface Room {
  /** One's own id, as others see it in their `peers`. */
  readonly id: string;
  /** A value of each member that lasts as long as it stays. */
  readonly presence: RoomPresence;
  readonly status: RoomStatus;
  /** The others that are there now: the same list until something changes. */
  readonly peers: readonly RoomPeer[];
  /** Calls the listener when `status` or `peers` changes; returns the function that ends this. */
  subscribe(listener: (room: Room) => void): () => void;
  /**
   * Resolves when this ledger has all that the linked members have, and those of them that take our
   * writes have stored all that it holds now. Alone in a room it resolves when a server has said so.
   * @throws RoomError `wrong-secret` when all that are there have another secret, `unauthorized` when
   *   no server lets us in, `left`; what `signal` says when it is aborted
   */
  synced(options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Sends a message to everybody who is there now. It is kept nowhere: who comes later does not get it.
   * @param message anything that dag-cbor holds, up to 16,128 bytes of it
   * @throws RoomError `invalid-option` for any other
   */
  broadcast(message: unknown): void;
  /** Calls the listener with what others broadcast, and the id of who did; returns its end. */
  onMessage(listener: (message: unknown, from: string) => void): () => void;
  /** Delivers what was written before, says goodbye, and ends. The ledger stays open. */
  leave(): Promise<void>;
}
