import { useMemo } from 'react';
import type { AllDocsOptions, Document, DocumentRow, Ledger } from '../index.ts';
import { LOADING_ROWS, rowsSource, type RowsState } from './rows.ts';
import { useShared } from './use-shared.ts';
import { useStableOptions } from './use-stable-options.ts';

/** A row whose document is of this kind. */
export interface AllDocsRow<Doc extends Document = Document> extends DocumentRow {
  readonly doc: Doc;
}

const ALL_DOCS = Symbol('all documents');

/**
 * The rows of `ledger.allDocs(options)`, now and after each change of documents in their range.
 * @param ledger undefined while it opens: `loading`
 * @typeParam Doc what you expect in the documents; nothing checks that
 */
export function useAllDocs<Doc extends Document = Document>(
  ledger: Ledger | undefined,
  options?: AllDocsOptions,
): RowsState<AllDocsRow<Doc>> {
  const stable = useStableOptions(options);
  const source = useMemo(() => {
    if (ledger === undefined) return undefined;
    const touches = (ids: ReadonlySet<string>): boolean => isAnyWithin(ids, stable ?? {});
    return rowsSource(ledger, ALL_DOCS, stable, () => ledger.allDocs(stable), touches);
  }, [ledger, stable]);
  return useShared(source, LOADING_ROWS) as RowsState<AllDocsRow<Doc>>;
}

function isAnyWithin(ids: ReadonlySet<string>, { keys, prefix, range }: AllDocsOptions): boolean {
  if (keys !== undefined) return keys.some((key) => ids.has(key));
  for (const id of ids) {
    const isInRange = range === undefined || (id >= range[0] && id <= range[1]);
    if (isInRange && (prefix === undefined || id.startsWith(prefix))) return true;
  }
  return false;
}
