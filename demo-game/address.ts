import { createRoomSecret } from 'emberlink';

/** What the game's address says behind its `#`, where no server sees it. */
export interface GameAddress {
  readonly room: string;
  readonly key: string;
  /** It named no room: this one is new. */
  readonly isNew: boolean;
}

/** The room that an address names, or a new one with a key that nobody guesses. */
export function readAddress(address: URL): GameAddress {
  const said = new URLSearchParams(address.hash.slice(1));
  const room = said.get('room') ?? '';
  const key = said.get('key') ?? '';
  if (ROOM.test(room) && key.length >= SHORTEST_KEY) return { room, key, isNew: false };
  return { room: newRoom(), key: createRoomSecret(), isNew: true };
}

/** The link to a room, with an offer where it shall connect without a server. */
export function linkTo(page: URL, { room, key }: GameAddress, offer?: string): string {
  const link = new URL(page);
  const said = new URLSearchParams({ room, key });
  if (offer !== undefined) said.set('offer', offer);
  link.hash = said.toString();
  return link.href;
}

/** What somebody has pasted: an offer or answer, and the room that a link to one names. */
export function readPasted(text: string): { signal: string; room: string | undefined } {
  const link = /#(\S*\boffer=\S+)/.exec(text);
  if (link === null) return { signal: text, room: undefined };
  const said = new URLSearchParams(link[1]);
  return { signal: said.get('offer') ?? text, room: said.get('room') ?? undefined };
}

/** A ledger's name can hold it. */
const ROOM = /^[a-z0-9]{1,40}$/;
/** A key that is put into the address by hand is a passphrase. */
const SHORTEST_KEY = 8;

function newRoom(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join('');
}
