import { clip, columnsOf, style } from './terminal.ts';

/** How often a bar is drawn, and how often a plain line is printed where there is no terminal. */
const DRAW_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 2000;
const BAR_WIDTH = 24;

export interface ProgressState {
  /** How far it is, from 0 to 1; undefined where the end is not known. */
  readonly fraction?: number | undefined;
  /** What to say beside the bar. */
  readonly detail: string;
}

/** Tells people on stderr how far a long work is: a bar on a terminal, a line now and then elsewhere. */
export class Progress {
  readonly #label: string;
  readonly #silent: boolean;
  readonly #startedMs = performance.now();
  #shownMs: number;
  #drawn = false;

  constructor(label: string, options: { silent: boolean }) {
    this.#label = label;
    this.#silent = options.silent;
    this.#shownMs = this.#startedMs;
  }

  /** Cheap enough to be called for every step; `state` is asked only when something is shown. */
  update(state: () => ProgressState): void {
    if (this.#silent) return;
    const now = performance.now();
    const { isTTY } = process.stderr;
    if (now - this.#shownMs < (isTTY ? DRAW_INTERVAL_MS : LINE_INTERVAL_MS)) return;
    this.#shownMs = now;
    const { fraction, detail } = state();
    const percent = fraction === undefined ? '' : `${Math.floor(fraction * 100)}%`;
    if (!isTTY) {
      process.stderr.write(`${this.#label} ${percent}${percent && ', '}${detail}\n`);
      return;
    }
    const left = fraction === undefined ? '' : this.#timeLeft(fraction, now);
    const bar = fraction === undefined ? '' : `${barOf(fraction)} ${percent.padStart(4)}  `;
    const text = clip(`${this.#label} ${bar}${detail}${left}`, columnsOf(process.stderr) - 1);
    process.stderr.write(`\r\u001b[K${style(process.stderr, 'cyan', text)}`);
    this.#drawn = true;
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#drawn) process.stderr.write('\r\u001b[K');
    this.#drawn = false;
  }

  #timeLeft(fraction: number, now: number): string {
    const elapsedMs = now - this.#startedMs;
    if (fraction < 0.02 || elapsedMs < 1000) return '';
    const seconds = Math.ceil((elapsedMs * (1 - fraction)) / fraction / 1000);
    return `, ${seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`} left`;
  }
}

function barOf(fraction: number): string {
  const filled = Math.round(Math.min(1, fraction) * BAR_WIDTH);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}
