import { StorageError } from '../errors.ts';
import type { Log } from '../storage/log.ts';
import type { Place } from '../storage/place.ts';
import type { Turns } from '../turns.ts';
import type { Archive } from './archive.ts';
import type { CommitStore } from './commit-store.ts';
import type { Documents } from './documents.ts';
import { hasOutgrownDocuments } from './growth.ts';
import { INDEX_FILE } from './opening.ts';
import { passOver } from './pass-over.ts';
import { encodeIndex } from './saved-index.ts';

/** The index is saved again after this many bytes of new commits, or four times its own size. */
const SAVE_AFTER_BYTES = 32 * 1024 * 1024;

/** It is saved, and the log compacted, when nothing was written for so long, ... */
const QUIET_MS = 500;
/** ... or when so many bytes of new commits have come all the same. */
const OVERDUE_BYTES = 512 * 1024 * 1024;

/** The ledger that is kept quick to open, and its log small. */
interface Owner {
  readonly place: Place;
  readonly log: Log;
  readonly store: CommitStore;
  readonly turns: Turns;
  readonly history: 'full' | 'recent';
  readonly documents: () => Documents;
  readonly isOpen: () => boolean;
  readonly openArchive: () => Promise<Archive>;
}

/** What the saved index tells of, as it was found. */
export interface Saved {
  /** Its size; 0 when there is none. */
  readonly bytes: number;
  /** How many commits it tells of; -1 when there is none. */
  readonly commits: number;
  /** The bytes of those that came later. */
  readonly unsavedBytes: number;
}

/** Saves the index, and lets the log be compacted, when that is due and nobody writes. */
export class Upkeep {
  readonly #owner: Owner;
  #savedBytes: number;
  #savedCommits: number;
  #unsavedBytes: number;
  /** A snapshot was merged that the saved index does not tell of. */
  #isSnapshotUnsaved = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastMergeMs = 0;

  constructor(owner: Owner, saved: Saved) {
    this.#owner = owner;
    this.#savedBytes = saved.bytes;
    this.#savedCommits = saved.commits;
    this.#unsavedBytes = saved.unsavedBytes;
  }

  /** Takes note of new commits, which have so many bytes. */
  merged(bytes: number): void {
    this.#unsavedBytes += bytes;
    this.#maintainWhenQuiet();
  }

  /** Takes note of a snapshot. By the index, the next opening does not need the code that merges it. */
  snapshotMerged(): void {
    this.#isSnapshotUnsaved = true;
    this.#maintainWhenQuiet();
  }

  /** The log was read anew: commits have other numbers than in the saved index. */
  rebuilt(): void {
    this.#savedCommits = -1;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The caller keeps writes away. An index that cannot be saved costs time at the next opening. */
  async saveIndex(): Promise<void> {
    this.#isSnapshotUnsaved = false;
    try {
      await this.#saveIndex();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#unsavedBytes = 0;
    }
  }

  get #isSaveDue(): boolean {
    if (this.#isSnapshotUnsaved) return true;
    return this.#unsavedBytes > Math.max(SAVE_AFTER_BYTES, this.#savedBytes * 4);
  }

  get #isCompactionDue(): boolean {
    const { history, log, documents } = this.#owner;
    return history === 'recent' && hasOutgrownDocuments(log, documents());
  }

  /** What keeps writes waiting is done when there were none for a moment; never too late, though. */
  #maintainWhenQuiet(): void {
    this.#lastMergeMs = performance.now();
    if (this.#timer !== undefined || !this.#owner.isOpen()) return;
    if (this.#isSaveDue || this.#isCompactionDue) this.#awaitQuiet();
  }

  #awaitQuiet(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const isQuiet = performance.now() - this.#lastMergeMs >= QUIET_MS;
      if (isQuiet || this.#unsavedBytes > OVERDUE_BYTES) void this.#maintain();
      else this.#awaitQuiet();
    }, QUIET_MS);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /** What cannot be done stays as it is, and a later write tries again. */
  async #maintain(): Promise<void> {
    await this.#compactWhenDue().catch(passOver);
    await this.#owner.turns
      .run(async () => {
        if (this.#owner.isOpen() && this.#isSaveDue) await this.saveIndex();
      })
      .catch(passOver);
  }

  async #compactWhenDue(): Promise<void> {
    if (!this.#isCompactionDue) return;
    const archive = await this.#owner.openArchive();
    await this.#owner.turns.run(async () => {
      if (this.#owner.isOpen() && this.#isCompactionDue) await archive.compact();
    });
  }

  async #saveIndex(): Promise<void> {
    const { place, log, store } = this.#owner;
    const { segments, end } = log;
    if (segments.size === 0 || this.#savedCommits === store.count) return;
    if (store.missing.length > 0) {
      // The next opening looks at the log itself: what was lost may stand behind its children by then.
      await place.remove(INDEX_FILE);
      return;
    }
    // First the log, then what was computed from it: the index never tells of commits that are not there.
    await log.flush();
    const documents = this.#owner.documents();
    const bytes = await encodeIndex({
      position: end,
      segments: new Map(segments),
      state: store.state,
      documents: documents.states,
      writings: documents.writings,
    });
    await place.replace(INDEX_FILE, bytes);
    this.#savedBytes = bytes.length;
    this.#savedCommits = store.count;
    this.#unsavedBytes = 0;
  }
}
