import { useMemo } from 'react';
import type { Conflict, Document, Ledger } from '../index.ts';
import { keepEqual } from './equal.ts';
import { readLive } from './live-read.ts';
import { memoized } from './memoized.ts';
import { Registry } from './registry.ts';
import { useShared } from './use-shared.ts';

export type DocumentState<Doc extends Document = Document> =
  | {
      readonly state: 'loading';
      readonly doc: undefined;
      readonly conflicts: readonly Conflict[];
      readonly error: undefined;
    }
  | {
      readonly state: 'ready';
      /** Undefined where there is none, or none any more. */
      readonly doc: Doc | undefined;
      /** As of `ledger.conflicts`: what was written at the same time elsewhere and is not shown. */
      readonly conflicts: readonly Conflict[];
      readonly error: undefined;
    }
  /** With what could be read last. The next change of the document is a new attempt. */
  | {
      readonly state: 'failed';
      readonly doc: Doc | undefined;
      readonly conflicts: readonly Conflict[];
      readonly error: Error;
    };

const LOADING: DocumentState = {
  state: 'loading',
  doc: undefined,
  conflicts: [],
  error: undefined,
};

const registryOf = memoized((_ledger: Ledger) => new Registry<DocumentState>());

/**
 * A document as it is now: `doc` and `conflicts` are the same objects until something in them changes.
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
      read: async (before: DocumentState): Promise<DocumentState> => {
        const [doc, conflicts] = await Promise.all([ledger.get(id), ledger.conflicts(id)]);
        return {
          state: 'ready',
          doc: keepEqual(before.doc, doc),
          conflicts: keepEqual(before.conflicts, conflicts),
          error: undefined,
        };
      },
      touches: (ids: ReadonlySet<string>) => ids.has(id),
      failed: ({ doc, conflicts }: DocumentState, error: Error): DocumentState => ({
        state: 'failed',
        doc,
        conflicts,
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
