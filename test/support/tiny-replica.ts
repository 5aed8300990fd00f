import { decode, encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { type Block, blockOf, type MaybePromise } from '../../src/blocks.ts';
import { runsBy } from '../../src/ledger/runs-by.ts';
import type { Replica } from '../../src/protocol/replica.ts';

interface Event {
  readonly parents: readonly CID[];
  readonly data: { readonly key: string; readonly value: unknown; readonly links: readonly CID[] };
}

interface Waiting extends Block {
  readonly origin: object | undefined;
}

interface Commit {
  readonly event: Event;
  /** One more than the highest parent: of two writes to a key the higher wins, then the greater CID. */
  readonly height: number;
}

/**
 * A second, tiny Replica: events under a Merkle clock, each setting one key, with data blocks beside
 * them. A block counts as held as soon as it came; a commit is applied once all that it links to is.
 */
export class TinyReplica implements Replica {
  readonly id?: Uint8Array;
  /** Applied blocks, parents first. */
  readonly #blocks = new Map<string, Block>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #commits = new Map<string, Commit>();
  readonly #heads = new Map<string, CID>();
  readonly #watchers = new Set<(cids: readonly CID[], origin?: object) => void>();
  /** Blocks given to `receive` that were held already. */
  repeated = 0;
  readonly blocksSince?: (heads: readonly CID[]) => CID[] | undefined;

  constructor(options: { ancestry?: boolean; id?: Uint8Array } = {}) {
    if (options.id !== undefined) this.id = options.id;
    if (options.ancestry !== false) this.blocksSince = (heads) => this.#since(heads);
  }

  get clock(): readonly CID[] {
    return [...this.#heads.values()];
  }

  get blockCount(): number {
    return this.#blocks.size;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** The keys and values, in an order of their own: equal for equal sets of commits. */
  get state(): Record<string, unknown> {
    const winners = new Map<string, { rank: string; value: unknown }>();
    for (const [cid, { event, height }] of this.#commits) {
      const rank = String(height).padStart(9, '0') + cid;
      const best = winners.get(event.data.key);
      if (best === undefined || best.rank < rank) {
        winners.set(event.data.key, { rank, value: event.data.value });
      }
    }
    return Object.fromEntries(
      [...winners].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { value }]) => [key, value]),
    );
  }

  /** Writes one commit, preceded by the data blocks that it links to. */
  put(key: string, value: unknown, data: readonly Uint8Array[] = []): CID {
    const extra = data.map((bytes) => blockOf(encode(bytes)));
    const links = extra.map(({ cid }) => cid);
    const commit = blockOf(encode({ parents: this.clock, data: { key, value, links } }));
    this.#store([...extra, commit]);
    return commit.cid;
  }

  has(cid: CID): boolean {
    return this.#blocks.has(String(cid)) || this.#waiting.has(String(cid));
  }

  getBlock(cid: CID): MaybePromise<Uint8Array | undefined> {
    return (this.#blocks.get(String(cid)) ?? this.#waiting.get(String(cid)))?.bytes;
  }

  cids(): CID[] {
    return [...this.#blocks.values()].map(({ cid }) => cid);
  }

  receive(blocks: readonly Block[], origin?: object): MaybePromise<void> {
    this.#store(blocks, origin);
  }

  watch(listener: (cids: readonly CID[], origin?: object) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  blockSize(cid: CID): number | undefined {
    return (this.#blocks.get(String(cid)) ?? this.#waiting.get(String(cid)))?.bytes.length;
  }

  parentsOf(block: Block): readonly CID[] | undefined {
    return eventOf(block)?.parents;
  }

  #store(blocks: readonly Block[], origin?: object): void {
    for (const block of blocks) {
      if (this.has(block.cid)) this.repeated++;
      else this.#waiting.set(String(block.cid), { ...block, origin });
    }
    const applied: Waiting[] = [];
    for (let before = -1; before < applied.length;) {
      before = applied.length;
      for (const [key, block] of this.#waiting) if (this.#apply(key, block)) applied.push(block);
    }
    for (const { key, run } of runsBy(applied, (block) => block.origin)) {
      for (const watcher of this.#watchers)
        watcher(
          run.map(({ cid }) => cid),
          key,
        );
    }
  }

  #apply(key: string, block: Block): boolean {
    const event = eventOf(block);
    if (event !== undefined) {
      const links = [...event.parents, ...event.data.links].map(String);
      if (!links.every((link) => this.#blocks.has(link))) return false;
      const heights = event.parents.map((parent) => this.#commits.get(String(parent))?.height ?? 0);
      this.#commits.set(key, { event, height: 1 + Math.max(0, ...heights) });
      for (const parent of event.parents) this.#heads.delete(String(parent));
      this.#heads.set(key, block.cid);
    }
    this.#waiting.delete(key);
    this.#blocks.set(key, { cid: block.cid, bytes: block.bytes.slice() });
    return true;
  }

  #since(heads: readonly CID[]): CID[] | undefined {
    if (heads.some((head) => !this.#commits.has(String(head)))) return undefined;
    const below = new Set<string>();
    const open = heads.map(String);
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      if (below.has(key)) continue;
      below.add(key);
      const { event } = this.#commits.get(key)!;
      for (const link of event.data.links) below.add(String(link));
      open.push(...event.parents.map(String));
    }
    return this.cids().filter((cid) => !below.has(String(cid)));
  }
}

function eventOf(block: Block): Event | undefined {
  const node: unknown = decode(block.bytes);
  return typeof node === 'object' && node !== null && 'parents' in node
    ? (node as Event)
    : undefined;
}
