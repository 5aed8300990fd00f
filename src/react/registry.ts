import { areEqualOptions } from './equal.ts';
import type { Shared } from './shared.ts';

interface Entry<S extends { readonly state: string }> {
  readonly options: unknown;
  readonly shared: Shared<S>;
}

/** The shared things of one kind: each is found by its key, and by options that say the same. */
export class Registry<S extends { readonly state: string }> {
  readonly #entriesByKey = new Map<unknown, Entry<S>[]>();

  find(key: unknown, options: unknown): Shared<S> | undefined {
    const entries = this.#entriesByKey.get(key);
    const entry = entries?.find(
      (each) => !each.shared.isOver && areEqualOptions(each.options, options),
    );
    return entry?.shared;
  }

  /** What there is, or what `make` makes. */
  take(key: unknown, options: unknown, make: () => Shared<S>): Shared<S> {
    const found = this.find(key, options);
    if (found !== undefined) return found;
    const entry = { options, shared: make() };
    this.#entriesByKey.set(key, [...(this.#entriesByKey.get(key) ?? []), entry]);
    void entry.shared.ended.then(() => this.#forget(key, entry));
    return entry.shared;
  }

  /** Those of this key that have not ended yet, whatever their options. */
  all(key: unknown): Shared<S>[] {
    return (this.#entriesByKey.get(key) ?? []).map(({ shared }) => shared);
  }

  #forget(key: unknown, entry: Entry<S>): void {
    const others = (this.#entriesByKey.get(key) ?? []).filter((each) => each !== entry);
    if (others.length > 0) this.#entriesByKey.set(key, others);
    else this.#entriesByKey.delete(key);
  }
}
