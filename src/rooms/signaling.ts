import type { IceServer } from '../../signaling/messages.ts';

/**
 * A way for members of a room to find each other: a signaling server, or anything else that can tell
 * who is there and carry small texts. Nothing is taken on trust from it: what it carries is sealed.
 */
export interface SignalingAdapter {
  /** For people, in `Room.status`: its URL, for example. */
  readonly name: string;
  /**
   * Enters the room, and comes back by itself whenever the connection was lost, until `leave`.
   * Errors go to `events.status`; nothing throws.
   */
  join(options: SignalingJoin, events: SignalingEvents): SignalingMembership;
}

export interface SignalingJoin {
  /** The room's name for servers: see `roomId`. */
  readonly room: string;
  /** 32 random bytes in base64url, for this adapter alone: one's address follows from them. */
  readonly proof: string;
}

export interface SignalingEvents {
  status(status: SignalingStatus): void;
  /** One has entered, again perhaps: these others are there now. */
  joined(members: readonly string[], iceServers: readonly IceServer[] | undefined): void;
  entered(member: string): void;
  left(member: string): void;
  message(from: string, data: string): void;
}

export interface SignalingMembership {
  /** Sends it if it can; what cannot be sent is dropped, as on any way that may lose things. */
  send(to: string, data: string): void;
  /** Something may have changed: look whether the connection lives, and do not wait to retry. */
  wake(): void;
  leave(): void;
}

export type SignalingStatus =
  | { readonly state: 'connecting' }
  | { readonly state: 'joined' }
  /** Lost or refused; it tries again. */
  | { readonly state: 'waiting'; readonly retryMs: number; readonly error: Error };
