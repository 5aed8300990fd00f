import type { CID } from 'multiformats/cid';
import type { Block, MaybePromise } from '../blocks.ts';
import { keyOf } from '../bytes.ts';
import type { Dot } from '../ledger/commit.ts';
import { loadLater, prepareForPeers } from '../ledger/load-later.ts';
import {
  type LedgerHistory,
  type LedgerReplica,
  parentsOf,
  type Watcher,
} from '../ledger/replica.ts';
import { remember } from '../remember.ts';
import type { Sketch } from '../sketch.ts';
import { tell } from '../tell.ts';
import type { TabEnvironment } from './environment.ts';
import type { LedgerTab } from './ledger-tab.ts';
import { readStream } from './read-stream.ts';
import type { SharedSource } from './shared-source.ts';

/** How many blocks' writers are remembered. */
const MAX_WRITERS = 4096;

/** The blocks of a ledger that another tab may have open: sessions work in every tab. */
export class SharedReplica implements LedgerReplica, SharedSource {
  readonly history: LedgerHistory;
  readonly tabs: TabEnvironment;
  readonly prepare: () => void = prepareForPeers;
  readonly #tab: LedgerTab;
  readonly #watchers = new Set<Watcher>();
  /** Of the newest blocks, by key: sessions hand them on by it. */
  readonly #writers = new Map<string, string>();

  constructor(tab: LedgerTab) {
    this.#tab = tab;
    this.history = new SharedHistory(tab);
    this.tabs = tab.environment;
    tab.subscribe((_change, news) => {
      for (const { cids, origin, writers } of news) {
        if (writers !== undefined) this.#rememberWriters(cids, writers);
        const brought = origin && tab.origins.objectOf(origin);
        for (const watcher of this.#watchers)
          tell(([all, by]) => watcher(all, by), [cids, brought] as const);
      }
    });
  }

  onClosed(listener: () => void): void {
    this.#tab.onClosed(listener);
  }

  get id(): Uint8Array {
    return this.#tab.ledger?.replica.id ?? this.#tab.state.replicaId;
  }

  get clock(): readonly CID[] {
    return this.#tab.clock;
  }

  get blockCount(): number {
    return this.#tab.ledger?.replica.blockCount ?? this.#tab.state.blockCount;
  }

  has(cid: CID): MaybePromise<boolean> {
    return this.#tab.call('has', cid);
  }

  getBlock(cid: CID): MaybePromise<Uint8Array | undefined> {
    return this.#tab.call('getBlock', cid);
  }

  cids(): Iterable<CID> | AsyncIterable<CID> {
    this.#tab.checkOpen();
    return this.#tab.ledger?.replica.cids() ?? readStream(this.#tab, 'cids');
  }

  async receive(blocks: readonly Block[], origin?: object): Promise<void> {
    await this.#tab.call('receive', blocks, origin && this.#tab.origins.nameOf(origin));
  }

  isKnown(cid: CID, { writer, sequence }: Dot): MaybePromise<boolean> {
    return this.#tab.call('isKnown', cid, { writer, sequence });
  }

  bringsNews(root: Block): MaybePromise<boolean> {
    return this.#tab.call('bringsNews', root);
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  blocksSince(heads: readonly CID[]): MaybePromise<CID[] | undefined> {
    return this.#tab.call('blocksSince', heads);
  }

  async sketch(): Promise<Sketch> {
    const { Sketch } = await loadLater();
    return Sketch.of(await this.#tab.call('sketch'));
  }

  find(keys: Uint8Array): MaybePromise<CID[]> {
    return this.#tab.call('find', keys);
  }

  blockSize(cid: CID): number | undefined {
    return this.#tab.ledger?.replica.blockSize(cid);
  }

  writerOf(cid: CID): string | undefined {
    return (
      this.#tab.ledger?.replica.writerOf(cid) ?? this.#writers.get(keyOf(cid.multihash.digest))
    );
  }

  parentsOf(block: Block): CID[] | undefined {
    return parentsOf(block);
  }

  #rememberWriters(cids: readonly CID[], writers: readonly (string | undefined)[]): void {
    for (const [n, writer] of writers.entries()) {
      if (writer === undefined) continue;
      remember(this.#writers, keyOf(cids[n]!.multihash.digest), writer, MAX_WRITERS);
    }
  }
}

class SharedHistory implements LedgerHistory {
  readonly #tab: LedgerTab;

  constructor(tab: LedgerTab) {
    this.#tab = tab;
  }

  get isFull(): boolean {
    return this.#known.isFull;
  }

  get isPruned(): boolean {
    return this.#known.isPruned;
  }

  get commitCount(): number {
    return this.#known.commitCount;
  }

  get snapshotPays(): boolean {
    return this.#known.snapshotPays;
  }

  get snapshotSize(): { readonly blocks: number; readonly bytes: number } {
    return this.#known.snapshotSize;
  }

  hasMerged(commits: readonly CID[]): MaybePromise<boolean> {
    return this.#tab.call('hasMerged', commits);
  }

  context(): MaybePromise<Uint8Array> {
    return this.#tab.call('context');
  }

  blocksBeyond(context: Uint8Array): MaybePromise<CID[] | undefined> {
    return this.#tab.call('blocksBeyond', context);
  }

  loosePages(): readonly CID[] {
    return this.#tab.ledger?.replica.history.loosePages() ?? this.#tab.state.loosePages;
  }

  async *snapshot(): AsyncGenerator<Block> {
    this.#tab.checkOpen();
    yield* readStream(this.#tab, 'snapshotBlocks');
  }

  get #known(): Pick<
    LedgerHistory,
    'isFull' | 'isPruned' | 'commitCount' | 'snapshotPays' | 'snapshotSize'
  > {
    return this.#tab.ledger?.replica.history ?? this.#tab.state;
  }
}
