/**
 * What lets several servers share rooms: a bus that carries each server's words about a room to all
 * others that are in it. A server believes what comes over it.
 */
export interface Broker {
  /** For logs and metrics: one word. */
  readonly name: string;
  /** Whether words get through just now. */
  readonly isUp: boolean;
  /**
   * From now on hands over what other servers publish about the room, in the order in which each
   * published it; not what this one does. Returns what ends that. Neither throws.
   */
  subscribe(room: string, listener: (word: BrokerWord) => void): () => void;
  /** Sends it to all others that are in the room, or drops it while the broker is down. Never throws. */
  publish(room: string, word: BrokerWord): void;
  /** Ends the connection, after what was published has left. Never rejects. */
  close(): Promise<void>;
}

/** What servers tell each other about a room; `server` is the one that says it. */
export type BrokerWord =
  /** A member came here, or came again: if it was elsewhere, it is there no more. */
  | { readonly type: 'entered'; readonly server: string; readonly member: string }
  | { readonly type: 'left'; readonly server: string; readonly member: string }
  | {
      readonly type: 'message';
      readonly server: string;
      readonly from: string;
      readonly to: string;
      readonly data: string;
    }
  /** Asks every server in the room for its `here`. */
  | { readonly type: 'who'; readonly server: string }
  /**
   * All members that are here: the answer to `who`, and said again at every heartbeat, so that what
   * was lost is made good and a server that has vanished is noticed.
   */
  | { readonly type: 'here'; readonly server: string; readonly members: readonly string[] };
