/**
 * Calls back when the browser tells that the network has changed, or that a page that slept is seen
 * again; in Node there is nothing to listen to. Returns the function that ends this.
 */
export function watchForWaking(woke: () => void): () => void {
  const sources: [EventTarget | undefined, string][] = [
    [globalThis.window, 'online'],
    [globalThis.window, 'pageshow'],
    [globalThis.document, 'resume'],
    [globalThis.document, 'visibilitychange'],
    [connection(), 'change'],
  ];
  const onEvent = (event: Event): void => {
    if (event.type !== 'visibilitychange' || document.visibilityState === 'visible') woke();
  };
  for (const [target, type] of sources) target?.addEventListener(type, onEvent);
  return () => {
    for (const [target, type] of sources) target?.removeEventListener(type, onEvent);
  };
}

/** The Network Information API, where there is one. */
function connection(): EventTarget | undefined {
  const { navigator } = globalThis as { navigator?: { connection?: unknown } };
  return navigator?.connection instanceof EventTarget ? navigator.connection : undefined;
}
