import { CliError, EXIT } from './errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs a work that writes: Ctrl-C aborts its signal, so that it can stop between two steps; a second
 * Ctrl-C ends the process at once, which a ledger survives too. Elsewhere Ctrl-C does what it does to
 * any process.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new CliError('interrupted', 'interrupted'));
  };
  for (const name of SIGNALS) process.on(name, stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    // Streams that were aborted throw errors of their own.
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    for (const name of SIGNALS) process.off(name, stop);
  }
}

/** Lets signals and other events in between two steps of a work that never waits by itself. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
