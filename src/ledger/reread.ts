import type { MaybePromise } from '../blocks.ts';
import { StorageError } from '../errors.ts';

/**
 * What `read` makes of the source; of what the source is then, once more, when a compaction has dropped
 * meanwhile what was about to be read.
 */
export async function reread<S, T>(
  source: () => MaybePromise<S>,
  read: (source: S) => MaybePromise<T>,
): Promise<T> {
  for (;;) {
    const from = await source();
    try {
      return await read(from);
    } catch (error) {
      const isDropped = error instanceof StorageError && error.code === 'missing-block';
      if (!isDropped || (await source()) === from) throw error;
    }
  }
}
