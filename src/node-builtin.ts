/**
 * A module of Node, where this is Node: `crypto`, `zlib`. It needs no import, so bundlers for browsers
 * see nothing of it.
 */
export function nodeBuiltin(name: string): unknown {
  const runtime = globalThis.process as { getBuiltinModule?: (id: string) => unknown } | undefined;
  return runtime?.getBuiltinModule?.(name);
}
