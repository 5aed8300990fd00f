import type { Ledger } from 'emberlink';
import {
  kindOf,
  profileId,
  readProfile,
  readRanking,
  readTiles,
  resultId,
  tilesPrefix,
  type Profile,
} from './documents.ts';
import type { Match } from './match.ts';
import { ranking } from './ranking.ts';
import type { RoundResult } from './scene.ts';

/** A result is written when the field of its round has been still for so long. */
const STILL_MS = 700;
/** Who is further down the line waits, so that mostly one writes. */
const TURN_MS = 500;

/**
 * The results of all rounds. Everybody computes them from the merged field, and writes what it finds
 * when the ledger says something else: when a round is over, and when its field changes afterwards.
 * Who has the same field finds the same, so this ends.
 */
export class Results {
  readonly #ledger: Ledger;
  readonly #match: Match;
  /** Rounds to be looked at, with the time of their last change. */
  readonly #touchedAt = new Map<number, number>();
  #settling = false;

  constructor(ledger: Ledger, match: Match) {
    this.#ledger = ledger;
    this.#match = match;
  }

  touch(round: number, nowMs: number): void {
    this.#touchedAt.set(round, nowMs);
  }

  /**
   * Writes results that are due.
   * @param place one's own among those who are there: 0 writes first
   */
  async settle(nowMs: number, place: number): Promise<void> {
    if (this.#settling) return;
    this.#settling = true;
    try {
      for (const [round, touchedAt] of this.#touchedAt) {
        if (nowMs - touchedAt < STILL_MS + place * TURN_MS || !this.#isOver(round)) continue;
        this.#touchedAt.delete(round);
        await this.#settle(round);
      }
    } finally {
      this.#settling = false;
    }
  }

  /** Newest first. */
  async all(): Promise<RoundResult[]> {
    const { rows } = await this.#ledger.allDocs({ prefix: 'result:' });
    const results: RoundResult[] = [];
    for (const { id, doc } of rows.reverse()) {
      const kind = kindOf(id);
      if (kind?.kind !== 'result' || !this.#isOver(kind.round)) continue;
      const ranked = readRanking(doc);
      if (ranked !== undefined) results.push(await this.named(kind.round, ranked));
    }
    return results;
  }

  /** With the names of those in it. */
  async named(round: number, ranked: readonly [string, number][]): Promise<RoundResult> {
    const named = await Promise.all(
      ranked.map(async ([player, tiles]) => ({ player, tiles, ...(await this.#profile(player)) })),
    );
    return { number: round, startedAt: this.#match.startOf(round) ?? 0, ranking: named };
  }

  #isOver(round: number): boolean {
    const match = this.#match;
    return round < match.round || (round === match.round && match.phase === 'over');
  }

  async #settle(round: number): Promise<void> {
    if (this.#match.startOf(round) === undefined) return;
    const found = ranking(await this.#count(round));
    const stored = readRanking(await this.#ledger.get(resultId(round)));
    if (JSON.stringify(found) === JSON.stringify(stored)) return;
    await this.#ledger.put({ _id: resultId(round), ranking: found });
  }

  async #count(round: number): Promise<Map<string, number>> {
    const { rows } = await this.#ledger.allDocs({ prefix: tilesPrefix(round) });
    const counts = new Map<string, number>();
    for (const { id, doc } of rows) {
      if (kindOf(id)?.kind !== 'tiles') continue;
      readTiles(doc, (_place, owner) => {
        if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
      });
    }
    return counts;
  }

  async #profile(player: string): Promise<Profile> {
    const known = this.#match.profiles.get(player);
    if (known !== undefined) return known;
    const stored = readProfile(await this.#ledger.get(profileId(player)));
    return stored ?? { name: 'somebody', colour: 0 };
  }
}
