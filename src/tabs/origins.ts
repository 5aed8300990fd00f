import { remember } from '../remember.ts';
import type { Origin } from './messages.ts';

/** How many origins of other tabs are remembered. */
const MAX_FOREIGN = 1024;

/** Names for the sessions of this tab, by which other tabs can tell who brought what. */
export class Origins {
  readonly #tab: string;
  readonly #names = new WeakMap<object, Origin>();
  readonly #own = new Map<number, WeakRef<object>>();
  readonly #foreign = new Map<string, Origin>();
  #count = 0;

  constructor(tab: string) {
    this.#tab = tab;
  }

  /** The name of an object of this tab. */
  nameOf(object: object): Origin {
    let name = this.#names.get(object);
    if (name === undefined) {
      name = { tab: this.#tab, number: ++this.#count };
      this.#names.set(object, name);
      this.#own.set(name.number, new WeakRef(object));
    }
    return name;
  }

  /** One object for each name that comes from elsewhere: origins are compared by identity. */
  canonical(name: Origin): Origin {
    const key = `${name.tab} ${name.number}`;
    const known = this.#foreign.get(key);
    if (known !== undefined) return known;
    remember(this.#foreign, key, name, MAX_FOREIGN);
    return name;
  }

  /** The object behind a name: that of this tab, or one that stands for another's. */
  objectOf(name: Origin): object {
    const own = name.tab === this.#tab ? this.#own.get(name.number)?.deref() : undefined;
    return own ?? this.canonical(name);
  }
}
