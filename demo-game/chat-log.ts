import type { Document } from 'emberlink';
import { readText, type Profile } from './documents.ts';
import type { ChatLine } from './scene.ts';

const MOST_LINES = 100;

interface Said {
  readonly id: string;
  readonly player: string;
  readonly text: string;
  readonly at: number;
}

/** What was said: the newest hundred lines. */
export class ChatLog {
  readonly #profileOf: (player: string) => Profile;
  /** By time, since ids begin with it. */
  #said: Said[] = [];
  #lines: readonly ChatLine[] | undefined;

  constructor(profileOf: (player: string) => Profile) {
    this.#profileOf = profileOf;
  }

  /** The line, if it is one, and new. */
  hear(
    id: string,
    at: number,
    player: string,
    document: Document | undefined,
  ): ChatLine | undefined {
    const text = readText(document);
    const known = this.#said.some((said) => said.id === id);
    if (text === undefined || known) return undefined;
    const said = { id, player, text, at };
    this.#said = [...this.#said, said].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(-MOST_LINES);
    this.#lines = undefined;
    return { ...said, ...this.#profileOf(player) };
  }

  /** Somebody is called something else. */
  forgetNames(): void {
    this.#lines = undefined;
  }

  /** The newest last. */
  lines(): readonly ChatLine[] {
    this.#lines ??= this.#said.map((said) => ({ ...said, ...this.#profileOf(said.player) }));
    return this.#lines;
  }
}
