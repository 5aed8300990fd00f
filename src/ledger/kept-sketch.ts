import { KEPT_SYMBOLS, Sketch } from '../sketch.ts';
import { turns } from '../turn.ts';
import type { CommitStore } from './commit-store.ts';
import type { CommitTable } from './commit-table.ts';

/** The sketch of the commits of `table` with a number below `end`. */
interface Part {
  readonly table: CommitTable;
  readonly sketch: Sketch;
  end: number;
}

/** The sketch of all commits that are here whole, which grows with them. */
export class KeptSketch {
  readonly #store: CommitStore;
  #kept: Part | undefined;
  #reading: Promise<Sketch> | undefined;

  constructor(store: CommitStore) {
    this.#store = store;
  }

  /** As of now, in a copy. */
  read(): Promise<Sketch> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Holes that appear or heal change commits that are in the sketch already: it is then made anew. */
  async #read(): Promise<Sketch> {
    let kept = this.#kept;
    for (let attempt = 1; ; attempt++) {
      kept ??= { table: this.#store.table, sketch: new Sketch(0, KEPT_SYMBOLS), end: 0 };
      const turn = turns();
      while (kept.table === this.#store.table && kept.end < this.#store.count) {
        if (kept.table.isWhole(kept.end)) kept.sketch.add(kept.table.name(kept.end));
        kept.end++;
        if (kept.end % 1024 === 0) await turn();
      }
      const isWhole =
        kept.table === this.#store.table && kept.sketch.size === this.#store.blockCount;
      this.#kept = isWhole ? kept : undefined;
      // One that is not whole after all makes a session compare lists.
      if (isWhole || attempt === 3) return kept.sketch.copy();
      kept = undefined;
    }
  }
}
