import { decode } from '@ipld/dag-cbor';
import type { CID } from 'multiformats/cid';
import type { Dot } from '../../src/ledger/commit.ts';
import type { CausalContext } from '../../src/ledger/context.ts';

interface RawCommit {
  readonly data: readonly [
    version: number,
    time: number,
    writer: Uint8Array,
    operations: readonly unknown[],
    dots: readonly [sequence: number, ...parents: unknown[]],
  ];
  readonly parents: readonly CID[];
}

/** Every commit that any peer ever applied, kept outside of all peers. */
export class CommitRecord {
  readonly #bytes = new Map<string, Uint8Array | undefined>();
  readonly #dots = new Map<string, Dot>();
  /** Those whose only holder lost its power before its disk had them for good. */
  readonly #forgiven = new Set<string>();

  /** @param bytes undefined where they are not known yet */
  add(key: string, bytes: Uint8Array | undefined): void {
    if (this.#bytes.get(key) === undefined) this.#bytes.set(key, bytes);
  }

  /** The commits that a context covers. */
  coveredBy(context: CausalContext): Set<string> {
    const covered = new Set<string>();
    for (const [key, bytes] of this.#bytes) {
      if (bytes === undefined) continue;
      let dot = this.#dots.get(key);
      if (dot === undefined) {
        const { data } = decode<RawCommit>(bytes);
        dot = { writer: data[2], sequence: data[4][0] };
        this.#dots.set(key, dot);
      }
      if (context.covers(dot)) covered.add(key);
    }
    return covered;
  }

  has(key: string): boolean {
    return this.#bytes.has(key);
  }

  get keys(): string[] {
    return [...this.#bytes.keys()];
  }

  bytes(key: string): Uint8Array | undefined {
    return this.#bytes.get(key);
  }

  /** The network may end with this commit or without it. */
  forgive(key: string): void {
    this.#forgiven.add(key);
  }

  isForgiven(key: string): boolean {
    return this.#forgiven.has(key);
  }
}

/** The numbers of the writes (write.ts) whose values stand in a commit. */
export function writesIn(bytes: Uint8Array): number[] {
  const { data } = decode<RawCommit>(bytes);
  const numbers: number[] = [];
  for (const part of data) {
    if (!Array.isArray(part)) continue;
    for (const operation of part as readonly unknown[][]) collect(operation, numbers);
  }
  return numbers;
}

function collect(value: unknown, numbers: number[]): void {
  if (typeof value === 'string') {
    const number = /^w(\d+)\b/.exec(value)?.[1];
    if (number !== undefined) numbers.push(Number(number));
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, numbers);
  } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    for (const item of Object.values(value)) collect(item, numbers);
  }
}
