import { ConnectionError } from './errors.ts';

/** What `loadPart` fails with, for the parts that connect. */
export function notLoaded(cause: unknown): ConnectionError {
  return new ConnectionError(
    'not-loaded',
    'the part of this library that connects could not be loaded: be online and try again; where that does not help, load the page anew',
    { cause },
  );
}
