import type { CID } from 'multiformats/cid';
import type { Block, MaybePromise } from '../blocks.ts';
import { hex, keyOf } from '../bytes.ts';
import { BlockError } from '../errors.ts';
import type { Sketch } from '../sketch.ts';
import { timeInMs } from './clock.ts';
import { fieldSpans, readCommit, type Commit, type Operation } from './commit.ts';
import { decodeValue, type DocumentValue } from './document.ts';
import type { HistoryEntry } from './history.ts';
import type { LedgerReplica } from './replica.ts';
import { kindOf } from './block-kind.ts';
import { readRoot } from './snapshot.ts';

/** What a peer wants to write into a document, as the document's history would tell it. */
export type IncomingOperation =
  | ({ readonly kind: 'put'; readonly id: string } & Pick<HistoryEntry, 'set' | 'unset'>)
  | { readonly kind: 'delete'; readonly id: string };

/** A commit of a peer, all of which is taken or nothing. */
export interface IncomingCommit extends Pick<HistoryEntry, 'time' | 'writer'> {
  readonly kind: 'commit';
  readonly id: CID;
  readonly operations: readonly IncomingOperation[];
}

/** A peer's state in place of its commits: nobody looks at these one by one. */
export interface IncomingSnapshot {
  readonly kind: 'snapshot';
  readonly root: CID;
  /** How many commits it stands for. */
  readonly commitCount: number;
}

/** What a guard is asked about. */
export type IncomingChange = IncomingCommit | IncomingSnapshot;

/** Nothing or true takes it; false, a reason, or an error, which is one, refuses it. */
export type Verdict = boolean | string | undefined | void;

export type Validate = (incoming: IncomingChange) => MaybePromise<Verdict>;

/** How many refused commits are remembered; what builds on one that is forgotten is parked. */
const REMEMBERED_REFUSALS = 4096;

/** See `guardReplica`. */
export class GuardedReplica {
  readonly #replica: LedgerReplica;
  readonly #validate: Validate;
  /** By digest, the oldest first. */
  readonly #refused = new Set<string>();

  constructor(replica: LedgerReplica, validate: Validate) {
    this.#replica = replica;
    this.#validate = validate;
  }

  /** @throws BlockError for the first that cannot be, or is `refused`; those before it stay. StorageError */
  async receive(blocks: readonly Block[], origin?: object): Promise<void> {
    const taken: Block[] = [];
    let failure: { readonly error: unknown } | undefined;
    for (const block of blocks) {
      try {
        await this.#judge(block);
        taken.push(block);
      } catch (error) {
        failure = { error };
        break;
      }
    }
    await this.#replica.receive(taken, origin);
    if (failure !== undefined) throw failure.error;
  }

  /** @throws BlockError */
  async #judge(block: Block): Promise<void> {
    switch (kindOf(block.bytes)) {
      case 'page':
        // It counts for nothing without its root.
        return;
      case 'root': {
        if (!(await this.#replica.bringsNews(block))) return;
        const commitCount = readRoot(block.bytes).context.total;
        return this.#ask(block.cid, { kind: 'snapshot', root: block.cid, commitCount });
      }
      case 'commit': {
        const commit = readCommit(block.bytes);
        if (await this.#replica.isKnown(block.cid, commit)) return;
        if (commit.parents.some((parent) => this.#refused.has(keyOf(parent)))) {
          return this.#refuse(block.cid, 'commit', 'it builds on one that was refused');
        }
        return this.#ask(block.cid, incomingCommit(block, commit));
      }
    }
  }

  async #ask(cid: CID, incoming: IncomingChange): Promise<void> {
    let verdict: Verdict;
    try {
      verdict = await this.#validate(incoming);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return this.#refuse(cid, incoming.kind, reason, cause);
    }
    if (typeof verdict === 'string' || verdict === false) {
      return this.#refuse(cid, incoming.kind, verdict || 'it is not allowed');
    }
    this.#refused.delete(keyOf(cid.multihash.digest));
  }

  async #refuse(
    cid: CID,
    kind: IncomingChange['kind'],
    reason: string,
    cause?: unknown,
  ): Promise<never> {
    this.#refused.add(keyOf(cid.multihash.digest));
    if (this.#refused.size > REMEMBERED_REFUSALS) {
      for (const oldest of this.#refused) {
        this.#refused.delete(oldest);
        break;
      }
    }
    throw new BlockError('refused', `${kind} ${cid}: ${reason}`, { cause });
  }

  prepare(): void {
    this.#replica.prepare();
  }

  get guards(): LedgerReplica {
    return this.#replica;
  }

  // --- everything else is as it is ---

  get id(): Uint8Array {
    return this.#replica.id;
  }

  get clock(): readonly CID[] {
    return this.#replica.clock;
  }

  get blockCount(): number {
    return this.#replica.blockCount;
  }

  get history(): LedgerReplica['history'] {
    return this.#replica.history;
  }

  has(cid: CID): MaybePromise<boolean> {
    return this.#replica.has(cid);
  }

  getBlock(cid: CID): MaybePromise<Uint8Array | undefined> {
    return this.#replica.getBlock(cid);
  }

  cids(): Iterable<CID> | AsyncIterable<CID> {
    return this.#replica.cids();
  }

  watch(watcher: Parameters<LedgerReplica['watch']>[0]): () => void {
    return this.#replica.watch(watcher);
  }

  blocksSince(heads: readonly CID[]): MaybePromise<CID[] | undefined> {
    return this.#replica.blocksSince(heads);
  }

  sketch(): Promise<Sketch> {
    return this.#replica.sketch();
  }

  find(keys: Uint8Array): MaybePromise<CID[]> {
    return this.#replica.find(keys);
  }

  blockSize(cid: CID): number | undefined {
    return this.#replica.blockSize(cid);
  }

  writerOf(cid: CID): string | undefined {
    return this.#replica.writerOf(cid);
  }

  parentsOf(block: Block): CID[] | undefined {
    return this.#replica.parentsOf(block);
  }
}

// --- helpers ---

/** Values are decoded when somebody asks for the operations. */
function incomingCommit({ cid, bytes }: Block, commit: Commit): IncomingCommit {
  let operations: readonly IncomingOperation[] | undefined;
  return {
    kind: 'commit',
    id: cid,
    writer: hex(commit.writer),
    time: timeInMs(commit.time),
    get operations() {
      operations ??= commit.operations.map((operation) => incomingOperation(operation, bytes));
      return operations;
    },
  };
}

function incomingOperation(operation: Operation, bytes: Uint8Array): IncomingOperation {
  const { id, deleted, setAt, unset } = operation;
  if (deleted) return { kind: 'delete', id };
  const set: [string, DocumentValue][] = [];
  for (const { name, valueAt, end } of fieldSpans(bytes, setAt)) {
    set.push([name, decodeValue(bytes.subarray(valueAt, end))]);
  }
  return { kind: 'put', id, set: Object.fromEntries(set), unset };
}
