/** How the two processes introduce each other: short texts by way of their parent. */
export interface Introducer {
  send(text: string): void;
  receive(): Promise<string>;
}

export interface SideTask {
  readonly role: 'alice' | 'bob';
  /** How many documents Alice has. */
  readonly n: number;
  /** A temporary folder of this side. */
  readonly folder: string;
  /** The signaling server, for those that need one. */
  readonly signalingUrl: string;
}

/** One of two processes that are joined by real WebRTC: Alice has all documents, Bob nothing. */
export interface Side {
  /** Resolves when the connection stands. */
  connect(introducer: Introducer): Promise<void>;
  /** Resolves, for Bob, when he has all that Alice has. */
  complete(): Promise<void>;
}
