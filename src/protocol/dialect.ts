import type { Channel, Frame } from './channel.ts';
import type { Replica } from './replica.ts';
import type { SessionTrace } from './trace.ts';

/** What a session asks of a way to talk to the peer: emberlink's own form or the original one. */
export interface Dialect {
  /** Sends what opens the conversation. */
  start(): void;
  /** Takes one frame, in order. What it throws ends the session. */
  frame(frame: Frame): void;
  /**
   * Calls back once the other side has stored all that the replica holds now, or with the reason why
   * it never will.
   */
  whenStored(callback: (refusal?: Error) => void): void;
  /** Sends what is left and says goodbye; resolves when the other side has done the same. */
  finish(): Promise<void>;
  /** The channel is gone: stores what arrived before, then tells whether nothing was under way. */
  settle(): Promise<boolean>;
  /** Tells the other side why the session ends, as far as this form has words for it. */
  abort(error: Error): void;
  /** Lets go of everything. */
  stop(): void;
}

/** What a dialect may do to the session that it belongs to. */
export interface DialectHost {
  readonly channel: Channel;
  readonly replica: Replica;
  /** Marks the blocks that this session brings, so that they are not echoed. */
  readonly origin: object;
  readonly trace: SessionTrace;
  /**
   * Like the channel's, but without an error once that has closed: its `closed` ends the session.
   * @param type what the protocol calls the message
   */
  send(frame: Frame, type: string): void;
  setState(state: OpenState): void;
  fail(error: unknown): void;
  /** The other side has said goodbye: finish and end in order. */
  peerLeaves(): void;
}

export interface Amount {
  readonly blocks: number;
  /** 0 in `toSend` and `toReceive` also where it is not known. */
  readonly bytes: number;
}

/** The first sync in figures; live writes of that time are counted in `sent` and `received` too. */
export interface SyncProgress {
  readonly sent: Amount;
  readonly toSend: Amount;
  readonly received: Amount;
  readonly toReceive: Amount;
}

export type OpenState =
  /** Waiting for the other side's first message. */
  | { readonly kind: 'greeting' }
  /** Finding out what each side lacks. */
  | { readonly kind: 'comparing' }
  /** The first sync is under way. */
  | { readonly kind: 'syncing'; readonly progress: SyncProgress }
  /** Both sides hold what the other held at the beginning; writes travel as they happen. */
  | { readonly kind: 'live' };

export type SessionState =
  | OpenState
  /** Over: in order without an error. */
  | { readonly kind: 'ended'; readonly error?: Error };
