import { Backoff } from './backoff.ts';
import type { Card } from './card.ts';
import type { LinkAttempt, LinkSignal } from './link.ts';
import type { MemberLink } from './member-link.ts';

/** What may be done with a peer: nothing, or a session that takes what it writes or does not. */
export type Permission = 'read' | 'write' | 'refused';

export type PeerState =
  /** Known, not linked. */
  | { readonly kind: 'idle' }
  /** Asked to make the link: it has the smaller id. */
  | { readonly kind: 'called'; readonly at: number }
  | {
      readonly kind: 'connecting';
      readonly attempt: number;
      readonly making: LinkAttempt;
      /** What the other side was told so far, in case that it has not heard it. */
      readonly told: readonly LinkSignal[];
      readonly since: number;
    }
  | {
      readonly kind: 'linked';
      readonly attempt: number;
      readonly making: LinkAttempt;
      readonly link: MemberLink;
    }
  /** Nothing is attempted. */
  | { readonly kind: 'refused'; readonly error: Error };

export interface Peer {
  readonly card: Card;
  readonly state: PeerState;
  /** Why the last attempt or link ended, if it was by an error. */
  readonly error: Error | undefined;
  /** It has said that it leaves: its link stands until it has delivered what it wrote. */
  readonly hasLeft: boolean;
}

/** What a mesh knows of a peer. */
export interface PeerRecord {
  card: Card;
  state: PeerState;
  error: Error | undefined;
  hasLeft: boolean;
  /** The number of the last attempt that there was. */
  attempt: number;
  /** When it answered last, */
  answeredAt: number;
  /** and when it was reached over links last. */
  reachedAt: number;
  knockedAt: number;
  readonly backoff: Backoff;
  notBefore: number;
  /** Attempts that have failed since the last link. */
  failures: number;
  /** The present attempt goes on although the link is not wanted here any more. */
  isFirm: boolean;
  /** Its link is ending in order. */
  isClosing: boolean;
  /** What our last beat said. */
  toldWanted: boolean;
  permission: Permission | Promise<Permission> | undefined;
  /** Of its last beacon. */
  beacon: { readonly number: number; readonly links: ReadonlySet<string> } | undefined;
}

const FIRST_RETRY_MS = 300;
const MOST_RETRY_MS = 30_000;

/** One that has just answered. */
export function newPeer(card: Card): PeerRecord {
  return {
    card,
    state: { kind: 'idle' },
    error: undefined,
    hasLeft: false,
    attempt: 0,
    answeredAt: performance.now(),
    reachedAt: performance.now(),
    knockedAt: 0,
    backoff: new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS),
    notBefore: 0,
    failures: 0,
    isFirm: false,
    isClosing: false,
    toldWanted: true,
    permission: undefined,
    beacon: undefined,
  };
}
