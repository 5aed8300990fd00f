import { bytesOf, compareBytes, keyOf } from '../bytes.ts';
import { BlockError } from '../errors.ts';
import { CborCursor, CborWriter, MAJOR_LIST, MAJOR_UNSIGNED } from '../cbor.ts';
import { readSequence, readWriter, type Dot } from './commit.ts';

/**
 * Which commits a ledger has merged, as a version vector: per writer the greatest sequence number. It
 * is exact, because a writer's commits follow one another (each has the one before among its ancestors)
 * and a commit is merged after all its ancestors. So it tells of a commit that was dropped long ago
 * whether it was merged, in some twenty bytes per writer.
 */
export class CausalContext {
  readonly #latest = new Map<string, number>();
  #total = 0;

  /** How many commits it covers. */
  get total(): number {
    return this.#total;
  }

  covers({ writer, sequence }: Dot): boolean {
    return sequence > 0 && sequence <= (this.#latest.get(keyOf(writer)) ?? 0);
  }

  /** Covers a commit and those of its writer before it. */
  add({ writer, sequence }: Dot): void {
    const key = keyOf(writer);
    const latest = this.#latest.get(key) ?? 0;
    if (sequence <= latest) return;
    this.#latest.set(key, sequence);
    this.#total += sequence - latest;
  }

  /** Covers what the other one covers, too. */
  merge(other: CausalContext): void {
    for (const dot of other.dots()) this.add(dot);
  }

  /** How many commits it covers that the other one does not. */
  beyond(other: CausalContext): number {
    let count = 0;
    for (const [key, sequence] of this.#latest) {
      count += Math.max(0, sequence - (other.#latest.get(key) ?? 0));
    }
    return count;
  }

  copy(): CausalContext {
    const copy = new CausalContext();
    copy.merge(this);
    return copy;
  }

  /** The latest commit of each writer, in order of writers. */
  dots(): Dot[] {
    return [...this.#latest]
      .map(([key, sequence]) => ({ writer: bytesOf(key), sequence }))
      .sort((a, b) => compareBytes(a.writer, b.writer));
  }

  /** As a list of [writer, sequence], ascending. */
  write(to: CborWriter): void {
    const dots = this.dots();
    to.head(MAJOR_LIST, dots.length);
    for (const { writer, sequence } of dots) {
      to.head(MAJOR_LIST, 2).bytes(writer).head(MAJOR_UNSIGNED, sequence);
    }
  }

  /** As bytes. */
  encode(): Uint8Array {
    const writer = new CborWriter();
    this.write(writer);
    return writer.finish();
  }

  /** @throws BlockError `malformed-commit` */
  static decode(bytes: Uint8Array): CausalContext {
    const cursor = new CborCursor(bytes);
    const context = CausalContext.read(cursor);
    if (cursor.at === bytes.length) return context;
    throw new BlockError('malformed-commit', 'malformed context: bytes after its end');
  }

  /** Consumes what `write` wrote. @throws BlockError `malformed-commit` */
  static read(cursor: CborCursor): CausalContext {
    const context = new CausalContext();
    const start = cursor.at;
    let previous: Uint8Array | undefined;
    for (let left = cursor.readHead(MAJOR_LIST); left > 0; left--) {
      const parts = cursor.readHead(MAJOR_LIST);
      const writer = readWriter(cursor);
      if (parts !== 2 || (previous !== undefined && compareBytes(previous, writer) >= 0)) {
        throw new BlockError('malformed-commit', `malformed context: writers at byte ${start}`);
      }
      previous = writer;
      context.add({ writer, sequence: readSequence(cursor) });
    }
    return context;
  }
}
