import { useMemo, useState } from 'react';
import type { Document, Ledger, MapFunction, QueryOptions, QueryRow } from '../index.ts';
import { isEqual } from './equal.ts';
import { LOADING_ROWS, rowsSource, type RowsState } from './rows.ts';
import { useShared } from './use-shared.ts';
import { useStableOptions } from './use-stable-options.ts';

export interface LiveQueryOptions extends QueryOptions {
  /**
   * For a map function that is written down in the component: the values of the component that it
   * uses. When one of them changes, the index is made anew.
   */
  readonly deps?: readonly unknown[];
}

/** A row of a query whose documents are of this kind. */
export interface LiveQueryRow<Doc extends Document = Document> extends QueryRow {
  readonly doc?: Doc;
}

/**
 * The rows of `ledger.query(by, options)`, now and after each change.
 * @param ledger undefined while it opens: `loading`
 * @param by a field, or a map function; best one that is defined outside of components: all of them
 *   then share its index. One that is written down in a component is known by its text and `deps`
 * @typeParam Doc what you expect in the documents; nothing checks that
 */
export function useLiveQuery<Doc extends Document = Document>(
  ledger: Ledger | undefined,
  by: string | MapFunction,
  { deps, ...options }: LiveQueryOptions = {},
): RowsState<LiveQueryRow<Doc>> {
  const stableBy = useStableMap(by, deps);
  const stable = useStableOptions<QueryOptions>(options);
  const source = useMemo(() => {
    if (ledger === undefined) return undefined;
    // What a change does to the rows only the index knows; it looks at changed documents alone.
    return rowsSource(
      ledger,
      stableBy,
      stable,
      () => ledger.query(stableBy, stable),
      () => true,
    );
  }, [ledger, stableBy, stable]);
  return useShared(source, LOADING_ROWS) as RowsState<LiveQueryRow<Doc>>;
}

/** Indexes are known by the identity of their map function: one that says the same stays itself. */
function useStableMap(
  by: string | MapFunction,
  deps: readonly unknown[] | undefined,
): string | MapFunction {
  const [held, setHeld] = useState({ by, deps });
  const isSameText = typeof by === typeof held.by && String(by) === String(held.by);
  if (by === held.by || (isSameText && isEqual(deps, held.deps))) return held.by;
  setHeld({ by, deps });
  return by;
}
