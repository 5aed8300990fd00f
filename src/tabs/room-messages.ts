import type { Room } from '../room.ts';
import { TABS_VERSION } from './messages.ts';
import { pack, unpack } from './packing.ts';

/** What the others know of the room that one tab is in. */
export interface RoomView {
  readonly id: string;
  readonly status: Room['status'];
  readonly peers: Room['peers'];
}

/** What tabs say to each other about a room that one of them is in. */
export type RoomMessage =
  /** Who is in it? Also asked now and then, to know whether that tab still lives. */
  | { readonly kind: 'hello' }
  /** I am, and this is what I see. */
  | { readonly kind: 'view'; readonly view: RoomView }
  /** The presence of each other member by its id, and that of the tabs themselves. */
  | {
      readonly kind: 'presence';
      readonly others: readonly (readonly [string, unknown])[];
      readonly own: unknown;
    }
  /** What somebody in the room has said. */
  | { readonly kind: 'heard'; readonly message: unknown; readonly from: string }
  /** Show this, say that, for all of us. */
  | { readonly kind: 'present'; readonly value: unknown }
  | { readonly kind: 'broadcast'; readonly message: unknown }
  /** Tell me when the room is in sync; and the answer. */
  | { readonly kind: 'sync'; readonly id: string }
  | { readonly kind: 'synced'; readonly id: string; readonly error?: unknown };

const FIELDS: Readonly<Record<RoomMessage['kind'], readonly string[]>> = {
  hello: [],
  view: ['view'],
  presence: ['others', 'own'],
  heard: ['message', 'from'],
  present: ['value'],
  broadcast: ['message'],
  sync: ['id'],
  synced: ['id'],
};

export function encodeRoomMessage(message: RoomMessage): unknown {
  return { emberlink: TABS_VERSION, ...(pack(message) as object) };
}

/** Undefined for what another version of this library says, or nobody of us. */
export function decodeRoomMessage(data: unknown): RoomMessage | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { emberlink, kind } = data as Record<string, unknown>;
  if (emberlink !== TABS_VERSION || typeof kind !== 'string') return undefined;
  if (!Object.hasOwn(FIELDS, kind)) return undefined;
  if (!FIELDS[kind as RoomMessage['kind']].every((name) => name in data)) return undefined;
  return unpack(data) as RoomMessage;
}
