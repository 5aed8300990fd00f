/**
 * Bring your own ledger: whatever keeps content-addressed blocks under a Merkle clock can be synced.
 * This one is a guest book in memory. Its commits are of its own kind: `{ parents, data }` as
 * dag-cbor, where `data` is the line that somebody wrote.
 */
import { decode, encode } from '@ipld/dag-cbor';
import { BlockError, blockOf, CID, Sync, type Block, type Replica } from 'emberlink';

type Entry = { readonly parents: readonly CID[]; readonly data: string };
type Watcher = (cids: readonly CID[], origin?: object) => void;

class GuestBook implements Replica {
  /** By CID, in the order in which they were stored: parents first. */
  readonly #blocks = new Map<string, Block>();
  readonly #heads = new Map<string, CID>();
  readonly #watchers = new Set<Watcher>();

  write(data: string): void {
    this.receive([blockOf(encode({ parents: this.clock, data }))]);
  }

  /** The order of entries differs from book to book, so they are sorted. */
  get lines(): string[] {
    return Array.from(this.#blocks.values(), (block) => entryOf(block).data).sort();
  }

  get clock(): readonly CID[] {
    return [...this.#heads.values()];
  }

  get blockCount(): number {
    return this.#blocks.size;
  }

  has(cid: CID): boolean {
    return this.#blocks.has(String(cid));
  }

  getBlock(cid: CID): Uint8Array | undefined {
    return this.#blocks.get(String(cid))?.bytes;
  }

  cids(): CID[] {
    return Array.from(this.#blocks.values(), ({ cid }) => cid);
  }

  /** Hashes are checked before; that a block is an entry, and that it may come now, is our business. */
  receive(blocks: readonly Block[], origin?: object): void {
    const added: CID[] = [];
    try {
      for (const { cid, bytes } of blocks) {
        if (this.has(cid)) continue;
        const { parents } = entryOf({ cid, bytes });
        if (!parents.every((parent) => this.has(parent))) {
          throw new BlockError('impossible-parents', `entry ${cid} comes before its parents`);
        }
        this.#blocks.set(String(cid), { cid, bytes: bytes.slice() });
        for (const parent of parents) this.#heads.delete(String(parent));
        this.#heads.set(String(cid), cid);
        added.push(cid);
      }
    } finally {
      for (const watcher of this.#watchers) watcher(added, origin);
    }
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  parentsOf(block: Block): readonly CID[] {
    return entryOf(block).parents;
  }
}

/** Reads what may have come from a stranger. */
function entryOf({ cid, bytes }: Block): Entry {
  try {
    const { parents, data } = decode<Entry>(bytes);
    const areLinks = parents.every((parent) => CID.asCID(parent) !== null);
    if (areLinks && typeof data === 'string') return { parents, data };
  } catch (cause) {
    throw new BlockError('malformed-commit', `block ${cid} is no entry`, { cause });
  }
  throw new BlockError('malformed-commit', `block ${cid} is no entry`);
}

const alice = new GuestBook();
const bob = new GuestBook();
alice.write('Alice was here');
bob.write('Bob too');

const fromAlice = new Sync(alice, { iceServers: [] }); // One machine: no STUN server is needed.
const fromBob = new Sync(bob, { iceServers: [] });
fromAlice.connect(await fromBob.accept(await fromAlice.offer()));
await fromAlice.backlog(); // Both have what either had,

bob.write('and here I am again'); // and from now on every entry flows.
await fromBob.synced();

console.log(alice.lines.join(', ')); // Alice was here, Bob too, and here I am again
console.log(String(alice.clock) === String(bob.clock)); // true
await fromAlice.close();
