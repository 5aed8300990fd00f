import { useEffect, useState } from 'react';
import { areEqualOptions } from './equal.ts';

type AnyFunction = (...parameters: unknown[]) => unknown;

interface Held<O> {
  readonly given: O;
  readonly stable: O;
  readonly latest: { options: O };
}

/**
 * The same options as long as they say the same, however often they are written down anew. Functions
 * and classes among them may be new each time: the one that was rendered last is called.
 */
export function useStableOptions<O extends object | undefined>(options: O): O {
  const [before, setHeld] = useState(() => hold(options));
  let held = before;
  if (!areEqualOptions(before.given, options)) {
    held = hold(options);
    setHeld(held);
  }
  useEffect(() => {
    held.latest.options = options;
  });
  return held.stable;
}

function hold<O extends object | undefined>(options: O): Held<O> {
  const latest = { options };
  if (options === undefined) return { given: options, stable: options, latest };
  const stable = Object.entries(options).map(([name, value]: [string, unknown]) => {
    const now = (): AnyFunction => (latest.options as Record<string, AnyFunction>)[name]!;
    return [name, typeof value === 'function' ? forwardTo(value as AnyFunction, now) : value];
  });
  return { given: options, stable: Object.fromEntries(stable) as O, latest };
}

/** A function or class that stands for whichever is the latest. */
function forwardTo(first: AnyFunction, latest: () => AnyFunction): AnyFunction {
  return new Proxy(first, {
    apply: (_, self, parameters) => Reflect.apply(latest(), self, parameters),
    construct: (_, parameters) => Reflect.construct(latest(), parameters) as object,
  });
}
