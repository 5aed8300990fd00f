import { useMemo, useSyncExternalStore } from 'react';
import type { Registry } from './registry.ts';
import { type End, Shared } from './shared.ts';

/** Where a shared thing is found, and how it begins where there is none. */
export interface Source<S extends { readonly state: string }> {
  readonly registry: Registry<S>;
  readonly key: unknown;
  readonly options: unknown;
  readonly begin: (set: (state: S) => void) => End;
}

/**
 * The state of a shared thing. Rendering only looks; what is not there yet begins when a component is
 * mounted, and so never on a server.
 * @param source the same object as long as the same thing is meant; undefined for none
 */
export function useShared<S extends { readonly state: string }>(
  source: Source<S> | undefined,
  initial: S,
): S {
  const { watch, look } = useMemo(() => {
    if (source === undefined) return { watch: watchNothing, look: () => initial };
    const { registry, key, options, begin } = source;
    const make = (): Shared<S> => new Shared(initial, begin);
    return {
      watch: (listener: () => void) => registry.take(key, options, make).watch(listener),
      look: () => registry.find(key, options)?.state ?? initial,
    };
  }, [source, initial]);
  return useSyncExternalStore(watch, look, () => initial);
}

export function watchNothing(): () => void {
  return () => {};
}
