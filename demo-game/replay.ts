import { LedgerError, type Ledger, type LedgerView } from 'emberlink';
import { isBot, kindOf, readTiles, tilesPrefix, type Profile } from './documents.ts';
import { LiveField } from './live-field.ts';
import type { FieldView, PlayerView } from './scene.ts';
import { COLUMNS, ROWS, tileInChunk, TILES } from './world.ts';

/** A past round, to be dragged through. */
export interface Replay {
  readonly durationMs: number;
  /**
   * The field so long after the round's beginning: the same object each time. What has changed since
   * the moment that was shown before has just been taken.
   */
  fieldAt(ms: number): Promise<FieldView>;
  /** `FieldView.owners` counts from this list, which may grow; with the tiles of that moment. */
  readonly players: readonly PlayerView[];
}

/** Moments that are no further apart are one. */
const STEP_MS = 250;

export interface ReplayOptions {
  readonly round: number;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly durationMs: number;
  readonly me: string;
  readonly profileOf: (player: string) => Profile;
}

/** Undefined when the ledger has no tiles of that round, or has let go of its past. */
export async function openReplay(
  ledger: Ledger,
  options: ReplayOptions,
): Promise<Replay | undefined> {
  const { rows } = await ledger.allDocs({ prefix: tilesPrefix(options.round), limit: 1 });
  if (rows.length === 0) return undefined;
  const replay = new LedgerReplay(ledger, options);
  try {
    await replay.fieldAt(0);
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'unknown-clock') return undefined;
    throw error;
  }
  return replay;
}

class LedgerReplay implements Replay {
  readonly durationMs: number;
  readonly #ledger: Ledger;
  readonly #options: ReplayOptions;
  readonly #field = new LiveField();
  readonly #view: FieldView;
  readonly #ownersByStep = new Map<number, (string | undefined)[]>();

  constructor(ledger: Ledger, options: ReplayOptions) {
    this.durationMs = options.durationMs;
    this.#ledger = ledger;
    this.#options = options;
    const { owners, takenAt } = this.#field;
    this.#view = { columns: COLUMNS, rows: ROWS, owners, takenAt };
  }

  get players(): readonly PlayerView[] {
    const { me, profileOf } = this.#options;
    return this.#field.roster.map((id, index) => ({
      ...profileOf(id),
      id,
      kind: id === me ? 'me' : isBot(id) ? 'bot' : 'friend',
      tiles: this.#field.tilesOf(index + 1),
      spark: undefined,
    }));
  }

  async fieldAt(ms: number): Promise<FieldView> {
    const steps = Math.ceil(this.durationMs / STEP_MS);
    const step = Math.min(steps, Math.max(0, Math.round(ms / STEP_MS)));
    let owners = this.#ownersByStep.get(step);
    if (owners === undefined) {
      owners = await this.#ownersAt(step === steps ? this.#ledger : await this.#past(step));
      this.#ownersByStep.set(step, owners);
    }
    const nowMs = performance.now();
    for (const [tile, owner] of owners.entries()) this.#field.hear(tile, owner, nowMs);
    return this.#view;
  }

  /** The end is what there is now: what was taken last is written, or comes together, after it. */
  async #past(step: number): Promise<LedgerView> {
    const time = this.#options.startedAt + step * STEP_MS;
    return this.#ledger.at(await this.#ledger.clockAt(time));
  }

  async #ownersAt(moment: Pick<LedgerView, 'allDocs'>): Promise<(string | undefined)[]> {
    const owners = Array.from<string | undefined>({ length: TILES });
    const { rows } = await moment.allDocs({ prefix: tilesPrefix(this.#options.round) });
    for (const { id, doc } of rows) {
      const kind = kindOf(id);
      if (kind?.kind !== 'tiles') continue;
      readTiles(doc, (place, owner) => (owners[tileInChunk(kind.chunk, place)] = owner));
    }
    return owners;
  }
}
