import type { MaybePromise } from '../blocks.ts';

/** `next` with the value: at once when the value is there, else when it comes. */
export function andThen<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** The outcome of `action`; of `fallback` when it fails, now or later. */
export function orElse<T>(
  action: () => MaybePromise<T>,
  fallback: (error: unknown) => MaybePromise<T>,
): MaybePromise<T> {
  let outcome: MaybePromise<T>;
  try {
    outcome = action();
  } catch (error) {
    return fallback(error);
  }
  return outcome instanceof Promise ? outcome.catch(fallback) : outcome;
}

/** The outcome of `action`, with `cleanup` run once it is known. */
export function finish<T>(action: () => MaybePromise<T>, cleanup: () => void): MaybePromise<T> {
  let pending = false;
  try {
    const outcome = action();
    if (!(outcome instanceof Promise)) return outcome;
    pending = true;
    return outcome.finally(cleanup);
  } finally {
    if (!pending) cleanup();
  }
}
