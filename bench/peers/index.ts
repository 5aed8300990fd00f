import type { Peer } from '../peer.ts';

interface Entry {
  /** The package whose version is told; undefined for this library. */
  readonly package?: string;
  /** The workloads that it is measured by; undefined for all. */
  readonly only?: readonly string[];
  load(): Promise<Peer>;
}

/**
 * All that are measured, by the name of their row. Each is imported only in the process that measures
 * it, so that the memory of one is not counted for another.
 */
export const PEERS: Readonly<Record<string, Entry>> = {
  'emberlink (disk)': {
    load: async () => (await import('./emberlink.ts')).emberlink({ log: 'disk' }),
  },
  'emberlink (memory)': {
    load: async () => (await import('./emberlink.ts')).emberlink({ log: 'memory' }),
  },
  'emberlink (memory, deflated)': {
    only: ['W1', 'W3', 'W3s'],
    load: async () =>
      (await import('./emberlink.ts')).emberlink({ log: 'memory', compression: 'always' }),
  },
  'emberlink (memory, full history, deflated)': {
    only: ['W6'],
    load: async () =>
      (await import('./emberlink.ts')).emberlink({
        log: 'memory',
        compression: 'always',
        history: 'full',
      }),
  },
  yjs: { package: 'yjs', load: async () => (await import('./yjs.ts')).yjs(false) },
  'yjs (nested maps)': { package: 'yjs', load: async () => (await import('./yjs.ts')).yjs(true) },
  loro: { package: 'loro-crdt', load: async () => (await import('./loro.ts')).loro() },
  'automerge (mutable text)': {
    package: '@automerge/automerge',
    load: async () => (await import('./automerge.ts')).automerge(false),
  },
  'automerge (immutable strings)': {
    package: '@automerge/automerge',
    load: async () => (await import('./automerge.ts')).automerge(true),
  },
  'rxdb (batch 500)': { package: 'rxdb', load: async () => (await import('./rxdb.ts')).rxdb(500) },
  'rxdb (batch 100)': { package: 'rxdb', load: async () => (await import('./rxdb.ts')).rxdb(100) },
  pouchdb: { package: 'pouchdb-core', load: async () => (await import('./pouchdb.ts')).pouchdb() },
  tinybase: { package: 'tinybase', load: async () => (await import('./tinybase.ts')).tinybase() },
};

/** `emberlink` and `emberlink (disk)` both name rows; of the first all variants. */
export function peersNamed(names: readonly string[]): string[] {
  const all = Object.keys(PEERS);
  return names.flatMap((name) => {
    const found = all.filter((peer) => peer === name || peer.startsWith(`${name} (`));
    if (found.length === 0) throw new Error(`no peer ${name}: there are ${all.join(', ')}`);
    return found;
  });
}

export function isOurs(peer: string): boolean {
  return peer.startsWith('emberlink');
}
