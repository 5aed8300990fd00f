import { writerColour } from './palette.ts';

const NAMES = ['paper', 'card', 'ink', 'quiet', 'line', 'accent', 'mine', 'theirs'] as const;
type ColourName = (typeof NAMES)[number];

/** The colours that the style sheet gives, for canvases, and whether things may move. */
export class Theme {
  readonly #host: HTMLElement;
  readonly #dark: MediaQueryList = matchMedia('(prefers-color-scheme: dark)');
  readonly #calm: MediaQueryList = matchMedia('(prefers-reduced-motion: reduce)');
  readonly #changed: () => void;
  #colours: Readonly<Record<ColourName, string>> | undefined;

  constructor(host: HTMLElement, onChange: () => void) {
    this.#host = host;
    this.#changed = () => {
      this.#colours = undefined;
      onChange();
    };
  }

  get isDark(): boolean {
    const theme = this.#host.getAttribute('theme');
    return theme === null ? this.#dark.matches : theme === 'dark';
  }

  get isCalm(): boolean {
    return this.#calm.matches;
  }

  get colours(): Readonly<Record<ColourName, string>> {
    if (this.#colours === undefined) {
      const style = getComputedStyle(this.#host);
      const entries = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
      this.#colours = Object.fromEntries(entries) as Record<ColourName, string>;
    }
    return this.#colours;
  }

  writer(lane: number): string {
    return writerColour(lane, this.isDark);
  }

  /** Reads the colours anew. */
  refresh(): void {
    this.#changed();
  }

  start(): void {
    this.#colours = undefined;
    this.#dark.addEventListener('change', this.#changed);
    this.#calm.addEventListener('change', this.#changed);
  }

  stop(): void {
    this.#dark.removeEventListener('change', this.#changed);
    this.#calm.removeEventListener('change', this.#changed);
  }
}
