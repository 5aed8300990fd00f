import type { CID } from 'multiformats/cid';
import type { Change, Clock, RecoveryReport } from '../ledger/ledger.ts';
import { pack, unpack } from './packing.ts';

/** Tabs of another version of these messages cannot share a ledger with this one. */
export const TABS_VERSION = 2;

/** What a tab knows of a ledger without asking. */
export interface LedgerState {
  readonly clock: Clock;
  readonly count: number;
  readonly writer: string;
  readonly recovery: RecoveryReport;
  readonly persisted: boolean | undefined;
  readonly replicaId: Uint8Array;
  readonly blockCount: number;
  readonly storedBytes: number;
  readonly isFull: boolean;
  readonly isPruned: boolean;
  readonly commitCount: number;
  readonly snapshotPays: boolean;
  readonly snapshotSize: { readonly blocks: number; readonly bytes: number };
  readonly loosePages: readonly CID[];
}

/** Names a session of a tab: who brought blocks. */
export interface Origin {
  readonly tab: string;
  readonly number: number;
}

/** Blocks that were stored; without an origin they were written here. */
export interface News {
  readonly cids: readonly CID[];
  readonly origin?: Origin | undefined;
  /** Who wrote each of them, where that is known: see `writerOf` of a replica. */
  readonly writers?: readonly (string | undefined)[] | undefined;
}

/** What tabs say on the channel of a ledger, which all of them hear, and on the one that each has. */
export type TabMessage =
  /** Who leads? Asked again and again by whoever waits for something. */
  | { readonly kind: 'hello' }
  /** I hold the lock, and am opening or closing. */
  | { readonly kind: 'busy' }
  /** I hold the lock, for myself alone. */
  | { readonly kind: 'locked' }
  /** I lead. Told when it begins, to those who ask, and when the state has changed without a change. */
  | {
      readonly kind: 'leader';
      readonly from: string;
      readonly epoch: number;
      readonly sequence: number;
      readonly state: LedgerState;
    }
  /** What the leader's ledger told its listeners. */
  | {
      readonly kind: 'change';
      readonly epoch: number;
      readonly sequence: number;
      readonly change: Change;
      readonly news: readonly News[];
      readonly state: LedgerState;
    }
  /** To the leader: what was called in one turn, so that its writes form one commit. */
  | { readonly kind: 'calls'; readonly from: string; readonly calls: readonly Call[] }
  /** To the one who called, who waits with them for the change of this sequence number. */
  | {
      readonly kind: 'answers';
      readonly epoch: number;
      readonly sequence: number;
      readonly state: LedgerState;
      readonly answers: readonly Answer[];
    }
  /** The ledger is no more. */
  | { readonly kind: 'destroyed'; readonly by: string };

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

export interface Answer {
  readonly id: number;
  readonly outcome: Outcome;
}

export type Outcome = { readonly value: unknown } | { readonly error: unknown };

type Fields = Readonly<Record<string, 'string' | 'number' | 'object'>>;

/** What each message must have for it to be read. */
const FIELDS: Readonly<Record<TabMessage['kind'], Fields>> = {
  hello: {},
  busy: {},
  locked: {},
  leader: { from: 'string', epoch: 'number', sequence: 'number', state: 'object' },
  change: {
    epoch: 'number',
    sequence: 'number',
    change: 'object',
    news: 'object',
    state: 'object',
  },
  calls: { from: 'string', calls: 'object' },
  answers: { epoch: 'number', sequence: 'number', state: 'object', answers: 'object' },
  destroyed: { by: 'string' },
};

export function encodeTabMessage(message: TabMessage): unknown {
  return { emberlink: TABS_VERSION, ...(pack(message) as object) };
}

/** `other-version` for what another version of this library says; undefined for what nobody of us does. */
export function decodeTabMessage(data: unknown): TabMessage | 'other-version' | undefined {
  if (typeof data !== 'object' || data === null || !('emberlink' in data)) return undefined;
  if (data.emberlink !== TABS_VERSION) return 'other-version';
  const message = data as Record<string, unknown>;
  const { kind } = message;
  if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind)) return undefined;
  for (const [name, type] of Object.entries(FIELDS[kind as TabMessage['kind']])) {
    if (typeof message[name] !== type || message[name] === null) return undefined;
  }
  return unpack(message) as TabMessage;
}
