/**
 * A part of this library that is loaded when it is first needed: a bundler makes a file of its own of
 * it. All calls share one load; after one that failed the next call tries again.
 */
export function loadPart<Part>(
  load: () => Promise<Part>,
  failed: (cause: unknown) => Error,
): () => Promise<Part> {
  let loading: Promise<Part> | undefined;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw failed(error);
    });
    return loading;
  };
}
