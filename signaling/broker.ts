/**
 * What lets several servers share rooms: a bus that carries each server's words to the others, those
 * about a room to all that are in it. It is never waited for: what it cannot carry is dropped, and
 * made good by what servers say again.
 */
export interface Broker {
  /** For logs and metrics: one word. */
  readonly name: string;
  /** Whether words get through just now. */
  readonly isUp: boolean;
  readonly counts: Readonly<BrokerCounts>;
  /**
   * Begins, once, and before anything else; resolves whether or not the broker is there yet.
   * @throws SignalingServerError `missing-package`, `unreadable-file`
   */
  open(listener: BrokerListener): Promise<void>;
  /** From now on hands over what other servers publish about the room. Never throws. */
  subscribe(room: string): void;
  /** Hands over no more of it. Never throws. */
  unsubscribe(room: string): void;
  /** Sends it to all others that are in the room, or drops it. Never throws. */
  publish(room: string, word: RoomWord): void;
  /** Sends it to all other servers, or drops it. Never throws. */
  announce(word: ServerWord): void;
  /** Ends the connection, after what was published has left. Never rejects. */
  close(): Promise<void>;
}

/** What a broker has done since it began. */
export interface BrokerCounts {
  published: number;
  received: number;
  /** Not published, as the broker was down or behind, or the word larger than it carries. */
  dropped: number;
  /** Received, but no words of servers of this version. */
  malformed: number;
}

/** Hears what other servers say, each one's words in the order in which it said them. */
export interface BrokerListener {
  hearOfRoom(room: string, word: RoomWord): void;
  hearOfServer(word: ServerWord): void;
  /** Words get through for the first time, or again: others may have missed what was said before. */
  up(): Promise<void>;
}

/** By member, when it joined: by a clock that servers share, in µs since 1970. The later of two joins holds. */
export type MemberAt = readonly [member: string, at: number];

/** What servers tell each other about a room; `server` is the one that says it. */
export type RoomWord =
  /** A member came here, or came again: what is known of an earlier place of its holds no more. */
  | {
      readonly type: 'entered';
      readonly server: string;
      readonly member: string;
      readonly at: number;
    }
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
  /** All members that are here: the answer to `who`, and said again at times to make losses good. */
  | { readonly type: 'here'; readonly server: string; readonly members: readonly MemberAt[] };

/** What a server tells all others at every beat; the members of one that is silent are gone. */
export interface ServerWord {
  readonly type: 'alive';
  readonly server: string;
  readonly at: number;
}
