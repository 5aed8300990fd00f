import { CID } from '../index.ts';

/**
 * Whether two values say the same: plain objects and lists by what is in them, bytes, links and
 * addresses too; everything else, functions among it, by identity.
 */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (isPlain(a)) return isEqualObject(a, b, isEqual);
  if (Array.isArray(a)) return isEqualList(a, b as unknown[]);
  if (a instanceof Uint8Array) return isEqualList(a, b as Uint8Array);
  if (a instanceof URL) return a.href === (b as URL).href;
  const link = CID.asCID(a);
  return link !== null && link.equals(CID.asCID(b) ?? undefined);
}

/** As `isEqual`, but functions of the same name say the same: see `useStableOptions`. */
export function areEqualOptions(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (!isPlain(a) || !isPlain(b)) return isEqual(a, b);
  return isEqualObject(
    a,
    b,
    (one, other) =>
      (typeof one === 'function' && typeof other === 'function') || isEqual(one, other),
  );
}

/** What was there before where it says the same, so that its identity tells whether it changed. */
export function keepEqual<T>(before: T, now: T): T {
  return isEqual(before, now) ? before : now;
}

/** The list of before if it says the same, else a list in which rows that say the same are kept. */
export function keepRows<Row extends { readonly id: string }>(
  before: readonly Row[],
  now: readonly Row[],
): readonly Row[] {
  let rowsById: Map<string, Row[]> | undefined;
  const kept = now.map((row, at) => {
    const there = before[at];
    if (there?.id === row.id && isEqual(there, row)) return there;
    rowsById ??= byId(before);
    return rowsById.get(row.id)?.find((each) => isEqual(each, row)) ?? row;
  });
  const isSame = kept.length === before.length && kept.every((row, at) => row === before[at]);
  return isSame ? before : kept;
}

/** One document may have several rows in the result of a query. */
function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const same = found.get(row.id);
    if (same === undefined) found.set(row.id, [row]);
    else same.push(row);
  }
  return found;
}

function isEqualList(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (!isEqual(a[at], b[at])) return false;
  return true;
}

function isEqualObject(
  a: object,
  b: object,
  isEqualValue: (a: unknown, b: unknown) => boolean,
): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) &&
      isEqualValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
