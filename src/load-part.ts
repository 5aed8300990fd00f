/** An error class that has the code `not-loaded`. */
type NotLoaded = new (code: 'not-loaded', message: string, options: ErrorOptions) => Error;

/**
 * A part of this library that is loaded when it is first needed: a bundler makes a file of its own of
 * it. All calls share one load; after one that failed with `NotLoaded` the next call tries again.
 */
export function loadPart<Part>(
  load: () => Promise<Part>,
  NotLoaded: NotLoaded,
): () => Promise<Part> {
  let loading: Promise<Part> | undefined;
  return () => {
    loading ??= load().catch((cause: unknown) => {
      loading = undefined;
      throw new NotLoaded(
        'not-loaded',
        'a part of emberlink could not be loaded: be online and try again, or load the page anew',
        { cause },
      );
    });
    return loading;
  };
}
