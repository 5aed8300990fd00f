import type { Channel } from '../protocol/channel.ts';

/** What joins two members of a room, whatever it runs over. It ends when its channel does. */
export interface Link {
  /** For the session that syncs both ledgers. */
  readonly channel: Channel;
  /** What members tell each other beside that, in order and reliably. */
  readonly control: Port;
  /** For what is worth nothing when it is late: may lose and reorder. Undefined where there is none. */
  readonly datagrams: Port | undefined;
}

/** Small messages beside a channel, of at most `MAX_PORT_MESSAGE_BYTES`. */
export interface Port {
  /**
   * Sends it, or tells by false that it was dropped: the port is not open (yet, or any more), or its
   * buffer is full. A reliable port that had to drop something of an open link ends the link.
   * @throws ProtocolError `frame-too-large` beyond MAX_PORT_MESSAGE_BYTES
   */
  send(message: Uint8Array): boolean;
  /** Hands over what comes from now on, and what came before. Call it once. */
  listen(handler: (message: Uint8Array) => void): void;
}

export { MAX_PORT_MESSAGE_BYTES } from '../transports/port-limits.ts';

/** One attempt at a link with one member; and, once that stands, what keeps it going. */
export interface LinkAttempt {
  /** Rejects with a ConnectionError when the attempt fails, times out or is destroyed. */
  readonly connected: Promise<Link>;
  /**
   * Takes what the other side's attempt told `tell`, in any order, twice or not at all.
   * @throws SignalError `not-a-signal`, `wrong-state` for what it cannot use; nothing is changed then
   */
  hear(signal: LinkSignal): void;
  /** Looks for a new way, for example after the network changed. The link goes on meanwhile. */
  restart(): void;
  /** Ends the attempt, or the link. */
  destroy(error?: Error): void;
}

/**
 * What the two sides of an attempt tell each other, by way of somebody else: `number` counts up from
 * 0 on each side, so that copies and what is out of order can be told.
 */
export interface LinkSignal {
  readonly number: number;
  /** A session description or a candidate, as JSON. */
  readonly text: string;
}

export { MAX_LINK_SIGNAL_CHARACTERS } from '../transports/negotiation.ts';

export interface LinkOptions {
  /** True on one side, false on the other. */
  readonly initiator: boolean;
  readonly iceServers: readonly RTCIceServer[] | undefined;
  /** From now until it must be connected. */
  readonly connectTimeoutMs: number;
  /** Sends a signal to the other side's attempt. */
  tell(signal: LinkSignal): void;
}

/** A way to make links: over WebRTC, or in memory. */
export type Linker = (options: LinkOptions) => LinkAttempt;
