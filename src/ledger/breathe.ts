/** Long work lets timers, messages and signals in this often. */
const BREATHE_MS = 20;

/**
 * For loops that would keep the event loop waiting: the function returned gives nothing most of the
 * time, and every BREATHE_MS a promise to await.
 */
export function breather(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < BREATHE_MS) return undefined;
    return new Promise((resolve) => {
      setTimeout(() => {
        last = performance.now();
        resolve();
      }, 0);
    });
  };
}
