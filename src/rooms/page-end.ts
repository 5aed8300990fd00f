/**
 * Calls back in the moment in which a page goes for good: what is sent then must be sent at once. A page
 * that the browser keeps, to show it again, does not go; and in Node there is nothing to listen to.
 * Returns the function that ends this.
 */
export function watchForPageEnd(ends: () => void): () => void {
  const onHide = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) ends();
  };
  globalThis.window?.addEventListener('pagehide', onHide);
  return () => globalThis.window?.removeEventListener('pagehide', onHide);
}
