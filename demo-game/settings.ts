/** What people choose for themselves on this device. */
export interface Choices {
  readonly sound: boolean;
  /** Marks on the tiles. */
  readonly patterns: boolean;
  /** Undefined for what the system says. */
  readonly calm: boolean | undefined;
}

const KEY = 'emberfield-settings';
const DEFAULTS: Choices = { sound: true, patterns: false, calm: undefined };

/** Choices, kept where the browser keeps anything. */
export class Settings {
  readonly #listeners = new Set<() => void>();
  readonly #reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  #choices: Choices = read();

  constructor() {
    this.#reducedMotion.addEventListener('change', () => this.#tell());
  }

  get sound(): boolean {
    return this.#choices.sound;
  }

  get patterns(): boolean {
    return this.#choices.patterns;
  }

  get isCalm(): boolean {
    return this.#choices.calm ?? this.#reducedMotion.matches;
  }

  choose(choice: Partial<Choices>): void {
    this.#choices = { ...this.#choices, ...choice };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#choices));
    } catch {
      // A private window: it lasts as long as the page.
    }
    this.#tell();
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function read(): Choices {
  try {
    const { sound, patterns, calm } = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<
      Record<keyof Choices, unknown>
    >;
    return {
      sound: typeof sound === 'boolean' ? sound : DEFAULTS.sound,
      patterns: typeof patterns === 'boolean' ? patterns : DEFAULTS.patterns,
      calm: typeof calm === 'boolean' ? calm : DEFAULTS.calm,
    };
  } catch {
    return DEFAULTS;
  }
}
