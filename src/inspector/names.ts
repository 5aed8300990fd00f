import type { RoomMember } from '../index.ts';
import { remember } from '../remember.ts';

const MAX_NAMES = 200;
const MAX_NAME_CHARACTERS = 24;
/** 8 bytes in base64url. */
const REPLICA_CHARACTERS = 11;

/** What members and writers are called, also those that have gone. */
export class Names {
  readonly #byId = new Map<string, string>();
  readonly #byLedger = new Map<string, string>();

  learn({ id, replica, info }: RoomMember): void {
    const name = nameIn(info);
    if (name === undefined) return;
    remember(this.#byId, id, name, MAX_NAMES);
    // Others are of ledgers of the app's own.
    if (replica.length === REPLICA_CHARACTERS) {
      remember(this.#byLedger, ledgerDigits(replica), name, MAX_NAMES);
    }
  }

  /** @param id a member's, or a name of ours for a session without one */
  ofPeer(id: string): string {
    return this.#byId.get(id) ?? (id.length > 12 ? id.slice(0, 6) : id);
  }

  /** @param ledger the first 16 digits of what it writes under */
  ofLedger(ledger: string): string {
    return this.#byLedger.get(ledger) ?? ledger.slice(0, 6);
  }
}

/** An app that says who its members are says it as text, or as the `name` among other things. */
function nameIn(info: unknown): string | undefined {
  const name =
    typeof info === 'object' && info !== null && 'name' in info ? (info.name as unknown) : info;
  if (typeof name !== 'string' || name.trim() === '') return undefined;
  return name.trim().slice(0, MAX_NAME_CHARACTERS);
}

/** A ledger's id as members tell it, as the digits that its writers begin with. */
function ledgerDigits(replica: string): string {
  const bytes = atob(replica.replaceAll('-', '+').replaceAll('_', '/'));
  return Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}
