/**
 * Which members of a room are linked with which: pure functions of what is known of them.
 *
 * Up to `maxPeers` others everybody is linked with everybody. Beyond that the ids, in their order, are
 * a ring, and each member is linked with those that are 1, 2, 4, … places away from it, both ways, up
 * to half of the ring: a circulant graph, connected by its links of distance 1, in which everybody is
 * a few links away. Since all compute the same, both ends want the same link.
 */

/** The others that `self` should be linked with. */
export function wantedLinks(
  self: string,
  others: readonly string[],
  maxPeers: number,
): ReadonlySet<string> {
  if (others.length <= maxPeers) return new Set(others);
  const ring = [...others, self].sort();
  const place = ring.indexOf(self);
  const wanted = new Set<string>();
  for (const distance of distances(ring.length, Math.max(1, Math.floor(maxPeers / 2)))) {
    for (const at of [place + distance, place - distance]) {
      const id = ring[(at + ring.length) % ring.length]!;
      if (id !== self && wanted.size < maxPeers) wanted.add(id);
    }
  }
  return wanted;
}

/** The members that can be reached from `self` over links; `links` are those of each member. */
export function reachable(
  self: string,
  links: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  const found = new Set([self]);
  // A set that grows while it is walked is walked to its end.
  for (const id of found) {
    for (const next of links.get(id) ?? []) found.add(next);
  }
  return found;
}

/** `count` different distances from 1 to half of the ring, in a geometric series as far as it goes. */
function distances(size: number, count: number): Set<number> {
  const most = Math.floor(size / 2);
  const found = new Set<number>();
  for (let step = 0; step < count; step++) {
    const ideal = Math.round(most ** (step / Math.max(1, count - 1)));
    let distance = ideal;
    while (found.has(distance) && distance < most) distance += 1;
    found.add(distance);
  }
  return found;
}

/**
 * Whom `self` hands on to what `origin` tells everybody: its children in a tree of shortest ways from
 * there, the same one for all who know of the same links. Only links that both ends claim are used.
 */
export function childrenInTree(
  self: string,
  origin: string,
  links: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const parents = new Map<string, string>([[origin, '']]);
  let ring = [origin];
  while (ring.length > 0) {
    const next = new Map<string, string>();
    for (const id of ring) {
      for (const neighbour of links.get(id) ?? []) {
        if (parents.has(neighbour) || links.get(neighbour)?.has(id) !== true) continue;
        const other = next.get(neighbour);
        if (other === undefined || id < other) next.set(neighbour, id);
      }
    }
    for (const [id, parent] of next) parents.set(id, parent);
    ring = [...next.keys()];
  }
  return [...parents].filter(([, parent]) => parent === self).map(([id]) => id);
}
