import type { PeerRecord } from './peer.ts';
import { childrenInTree, reachable } from './topology.ts';

/** Who is linked with whom: what beacons say, and what we know of our own links. */
export class LinkMap {
  readonly #self: string;
  readonly #peers: ReadonlyMap<string, PeerRecord>;
  #links: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  #reached: ReadonlySet<string> | undefined;
  readonly #children = new Map<string, readonly string[]>();

  constructor(self: string, peers: ReadonlyMap<string, PeerRecord>) {
    this.#self = self;
    this.#peers = peers;
  }

  /** A link came or went, or a beacon said so. */
  changed(): void {
    this.#links = undefined;
    this.#reached = undefined;
    this.#children.clear();
  }

  /** Those that we are linked with, in their order. */
  own(): string[] {
    return [...this.#all().get(this.#self)!].sort();
  }

  /** All that can be reached over links. */
  reached(): ReadonlySet<string> {
    this.#reached ??= reachable(this.#self, this.#all());
    return this.#reached;
  }

  /** Whom we hand on to what `origin` tells everybody: see `childrenInTree`. */
  childrenOf(origin: string): readonly string[] {
    let children = this.#children.get(origin);
    if (children === undefined) {
      children = childrenInTree(this.#self, origin, this.#all());
      this.#children.set(origin, children);
    }
    return children;
  }

  #all(): ReadonlyMap<string, ReadonlySet<string>> {
    this.#links ??= this.#look();
    return this.#links;
  }

  #look(): ReadonlyMap<string, ReadonlySet<string>> {
    const links = new Map<string, ReadonlySet<string>>();
    const own = new Set<string>();
    for (const [id, { state, beacon }] of this.#peers) {
      const isLinked = state.kind === 'linked';
      if (isLinked) own.add(id);
      // Of our own links we know first.
      if (beacon?.links.has(this.#self) === isLinked) {
        links.set(id, beacon.links);
        continue;
      }
      const claimed = new Set(beacon?.links);
      if (isLinked) claimed.add(this.#self);
      else claimed.delete(this.#self);
      links.set(id, claimed);
    }
    links.set(this.#self, own);
    return links;
  }
}
