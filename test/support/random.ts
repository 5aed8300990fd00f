/**
 * Randomness that can be had again: everything a random test does follows from one seed, which stands
 * in the error of a test that fails. `EMBERLINK_SEED=<seed>` runs that case first.
 */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  /** True once in `times` calls, on average. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** The items in a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    return shuffled;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** The items, in order, cut into groups of 1 to `most`. */
  groups<T>(items: readonly T[], most: number): T[][] {
    const groups: T[][] = [];
    for (let at = 0; at < items.length;) {
      const end = at + 1 + this.below(most);
      groups.push(items.slice(at, end));
      at = end;
    }
    return groups;
  }
}

/** Drawn once, so that a test that is run again meets the same case again. */
export const SEED: number = setting('EMBERLINK_SEED', Math.floor(Math.random() * 2 ** 32));

/** Runs a test with `count` seeds; the error of the one that fails names its seed. */
export async function forSeeds(
  count: number,
  test: (random: Random) => Promise<void> | void,
): Promise<void> {
  for (let i = 0; i < count; i++) await withSeed(SEED + i, test);
}

/** Runs a test with one seed, which its error names. */
export async function withSeed(
  seed: number,
  test: (random: Random) => Promise<void> | void,
): Promise<void> {
  const random = new Random(seed);
  try {
    await test(random);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`EMBERLINK_SEED=${random.seed}: ${what}`, { cause });
  }
}

/** A number from the environment. */
export function setting(name: string, standard: number): number {
  // A page has no environment.
  const { process } = globalThis as { process?: NodeJS.Process };
  const text = process?.env[name];
  if (text === undefined || text === '') return standard;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name}=${text} is no count`);
  return value;
}
