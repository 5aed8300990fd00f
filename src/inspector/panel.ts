import { make } from './dom.ts';
import type { Observation } from './observation.ts';
import type { Theme } from './theme.ts';

/** What a panel may ask of the inspector that it is in. */
export interface PanelHost {
  readonly observation: Observation;
  readonly theme: Theme;
  /** No button that writes into the ledger. */
  readonly isReadonly: boolean;
  /** Asks for `update` and `draw`, soon. */
  request(): void;
  /** Tells those who cannot see it. For what is rare. */
  announce(text: string): void;
}

/** A part of the inspector. While it is folded it is neither updated nor drawn. */
export interface Panel {
  readonly element: HTMLDetailsElement;
  /**
   * Shows what there is now, a few times a second at most.
   * @param nowMs on the clock of `performance.now`
   */
  update(nowMs: number): void;
  /** Draws a picture; true when it is not at rest yet, and wants to be drawn again. */
  draw?(nowMs: number): boolean;
  /** Follows what is outside of it, until `stop`. */
  start?(): void;
  stop?(): void;
}

/** A part that can be folded, under a heading. */
export function foldable(title: string, name: string, ...children: Node[]): HTMLDetailsElement {
  return make(
    'details',
    { class: `panel ${name}`, open: true },
    make('summary', {}, make('h2', { text: title })),
    make('div', { class: 'body' }, ...children),
  );
}
