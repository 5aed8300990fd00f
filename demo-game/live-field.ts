import { TILES } from './world.ts';

/** A tile that one has taken oneself, and that the ledger does not hold yet. */
interface Claim {
  readonly owner: number;
  readonly ticket: number;
}

/** Owners are counted in a byte, from 1. */
const MOST_OWNERS = 255;

/**
 * The field of one round as it is shown: the ledger's word, and before it one's own tiles that it is
 * still being told of. When it has them, its word counts.
 */
export class LiveField {
  /** Of each tile 0, or one more than its owner's place in `roster`. */
  readonly owners: Uint8Array = new Uint8Array(TILES);
  readonly takenAt: Float64Array = new Float64Array(TILES);
  /** Whose tiles there are, or may be. It only grows until the next `reset`. */
  readonly roster: string[] = [];
  readonly #word = new Uint8Array(TILES);
  readonly #claims = new Map<number, Claim>();
  readonly #counts = new Uint32Array(MOST_OWNERS + 1);
  #lastTicket = 0;

  /** Empties it: another round. */
  reset(players: Iterable<string>): void {
    this.owners.fill(0);
    this.takenAt.fill(0);
    this.#word.fill(0);
    this.#claims.clear();
    this.#counts.fill(0);
    this.roster.length = 0;
    for (const player of players) this.ownerOf(player);
  }

  /** What stands for a player in `owners`; 0 when there are too many. */
  ownerOf(player: string): number {
    const index = this.roster.indexOf(player);
    if (index >= 0) return index + 1;
    if (this.roster.length === MOST_OWNERS) return 0;
    return this.roster.push(player);
  }

  tilesOf(owner: number): number {
    return this.#counts[owner]!;
  }

  isEmpty(): boolean {
    return this.#counts.every((count) => count === 0);
  }

  /** Shows a tile as somebody's before the ledger has it. The ticket is for `settle`. */
  claim(tile: number, owner: number, nowMs: number): number {
    const ticket = ++this.#lastTicket;
    this.#claims.set(tile, { owner, ticket });
    this.#show(tile, owner, nowMs);
    return ticket;
  }

  /** The ledger has what was claimed by this ticket, or has refused it. Whether that is seen. */
  settle(tile: number, ticket: number, nowMs: number): boolean {
    if (this.#claims.get(tile)?.ticket !== ticket) return false;
    this.#claims.delete(tile);
    return this.#show(tile, this.#word[tile]!, nowMs);
  }

  /** The ledger's word on a tile. Whether that is seen. */
  hear(tile: number, player: string | undefined, nowMs: number): boolean {
    const owner = player === undefined ? 0 : this.ownerOf(player);
    if (this.#word[tile] === owner) return false;
    this.#word[tile] = owner;
    return !this.#claims.has(tile) && this.#show(tile, owner, nowMs);
  }

  #show(tile: number, owner: number, nowMs: number): boolean {
    const before = this.owners[tile]!;
    if (before === owner) return false;
    this.owners[tile] = owner;
    this.takenAt[tile] = nowMs;
    if (before > 0) this.#counts[before]!--;
    if (owner > 0) this.#counts[owner]!++;
    return true;
  }
}
