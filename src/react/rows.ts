import type { Ledger } from '../index.ts';
import { keepRows } from './equal.ts';
import { readLive } from './live-read.ts';
import { memoized } from './memoized.ts';
import { Registry } from './registry.ts';
import type { Source } from './use-shared.ts';

/** `rows` is a list in any case, and the same one until something in it changes; so is each row. */
export type RowsState<Row> =
  | { readonly state: 'loading'; readonly rows: readonly Row[]; readonly error: undefined }
  | { readonly state: 'ready'; readonly rows: readonly Row[]; readonly error: undefined }
  /** `rows` are the last ones that could be read. The next change is a new attempt. */
  | { readonly state: 'failed'; readonly rows: readonly Row[]; readonly error: Error };

interface AnyRow {
  readonly id: string;
}

/** Nothing read yet. */
export const LOADING_ROWS: RowsState<never> = { state: 'loading', rows: [], error: undefined };

const registryOf = memoized((_ledger: Ledger) => new Registry<RowsState<AnyRow>>());

/** Rows that are read anew after each change that touches them. */
export function rowsSource(
  ledger: Ledger,
  key: unknown,
  options: unknown,
  read: () => Promise<{ readonly rows: readonly AnyRow[] }>,
  touches: (ids: ReadonlySet<string>) => boolean,
): Source<RowsState<AnyRow>> {
  const reading = {
    read: async (before: RowsState<AnyRow>): Promise<RowsState<AnyRow>> => ({
      state: 'ready',
      rows: keepRows(before.rows, (await read()).rows),
      error: undefined,
    }),
    touches,
    failed: ({ rows }: RowsState<AnyRow>, error: Error): RowsState<AnyRow> => ({
      state: 'failed',
      rows,
      error,
    }),
  };
  return {
    registry: registryOf(ledger),
    key,
    options,
    begin: (set) => readLive(ledger, LOADING_ROWS, reading, set),
  };
}
