import { useMemo } from 'react';
import type { Document, Ledger } from '../index.ts';
import { readLive } from './live-read.ts';
import { memoized } from './memoized.ts';
import { Registry } from './registry.ts';
import { useShared } from './use-shared.ts';

export type DocumentState<Doc extends Document = Document> =
  | { readonly state: 'loading'; readonly doc: undefined; readonly error: undefined }
  /** `doc` is undefined where there is none, or none any more. */
  | { readonly state: 'ready'; readonly doc: Doc | undefined; readonly error: undefined }
  /** `doc` is the last one that could be read. The next change of it is a new attempt. */
  | { readonly state: 'failed'; readonly doc: Doc | undefined; readonly error: Error };

const LOADING: DocumentState = { state: 'loading', doc: undefined, error: undefined };

const registryOf = memoized((_ledger: Ledger) => new Registry<DocumentState>());

/**
 * A document as it is now: `doc` is the same object until something in it changes.
 * @param ledger undefined while it opens, and `id` while there is nothing to show: `loading`
 * @typeParam Doc what you expect in it; nothing checks that
 */
export function useDocument<Doc extends Document = Document>(
  ledger: Ledger | undefined,
  id: string | undefined,
): DocumentState<Doc> {
  const source = useMemo(() => {
    if (ledger === undefined || id === undefined) return undefined;
    const reading = {
      read: async (): Promise<DocumentState> => ({
        state: 'ready',
        doc: await ledger.get(id),
        error: undefined,
      }),
      touches: (ids: ReadonlySet<string>) => ids.has(id),
      failed: ({ doc }: DocumentState, error: Error): DocumentState => ({
        state: 'failed',
        doc,
        error,
      }),
    };
    return {
      registry: registryOf(ledger),
      key: id,
      options: undefined,
      begin: (set: (state: DocumentState) => void) => readLive(ledger, LOADING, reading, set),
    };
  }, [ledger, id]);
  return useShared(source, LOADING) as DocumentState<Doc>;
}
