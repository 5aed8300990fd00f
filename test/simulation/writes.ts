import type { Document, DocumentValue } from '../../src/ledger/document.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { Random } from '../support/random.ts';
import type { SimulatedPeer } from './peer.ts';
import { writesIn } from './commit-record.ts';

const IDS = ['ash', 'birch', 'cedar', 'elm', 'é', '🌲'];
const FIELDS = ['a', 'b', 'height', 'ü'];

/** One write that somebody asked for. Its values begin with `w<number>`, so that it is found again. */
export interface Write {
  readonly number: number;
  readonly id: string;
  readonly kind: 'put' | 'delete';
  acknowledged: boolean;
  /**
   * Writes of the same document that were asked for before this one was acknowledged: a ledger may
   * put the later one in the place of this one.
   */
  readonly overtakers: Write[];
}

/** All writes of a run of the simulation, and whether they were acknowledged. */
export class Writes {
  readonly #all: Write[] = [];
  readonly #pending = new Map<SimulatedPeer, Set<Write>>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  get acknowledged(): readonly Write[] {
    return this.#all.filter((write) => write.acknowledged);
  }

  /** Stores a whole document, in place of what was there. */
  async put(peer: SimulatedPeer, ledger: Ledger, resolve = false): Promise<void> {
    const write = this.#begin(peer, this.#random.pick(IDS), 'put');
    await this.#finish(peer, [write], ledger.put(this.#document(write), { resolve }));
    await this.#checkVisible(ledger, write);
  }

  /** Changes or removes one field of a document. */
  async patch(peer: SimulatedPeer, ledger: Ledger): Promise<void> {
    const id = this.#random.pick(IDS);
    const [set, removed] = this.#random.shuffled(FIELDS) as [string, string];
    const removes = this.#random.oneIn(3);
    const stored = removes ? await ledger.get(id) : undefined;
    const write = this.#begin(peer, id, 'put');
    const field = { [set]: this.#value(write) };
    const { [removed]: _, ...others } = { ...stored };
    const stores = removes
      ? ledger.put({ ...others, ...field, _id: id })
      : ledger.patch({ ...field, _id: id });
    await this.#finish(peer, [write], stores);
  }

  async delete(peer: SimulatedPeer, ledger: Ledger): Promise<void> {
    const write = this.#begin(peer, this.#random.pick(IDS), 'delete');
    await this.#finish(peer, [write], ledger.del(write.id));
  }

  async bulk(peer: SimulatedPeer, ledger: Ledger): Promise<void> {
    const ids = this.#random.shuffled(IDS).slice(0, 1 + this.#random.below(IDS.length));
    const writes = ids.map((id) => this.#begin(peer, id, 'put'));
    const documents = writes.map((write) => this.#document(write));
    await this.#finish(peer, writes, ledger.bulk(documents));
  }

  /** Whether a write is accounted for, when the values of these writes are in the commits. */
  isKept(write: Write, kept: ReadonlySet<number>): boolean {
    if (kept.has(write.number)) return true;
    return write.overtakers.some((later) => later.kind === 'delete' || this.isKept(later, kept));
  }

  // --- helpers ---

  #begin(peer: SimulatedPeer, id: string, kind: Write['kind']): Write {
    const write: Write = {
      number: this.#all.length,
      id,
      kind,
      acknowledged: false,
      overtakers: [],
    };
    this.#all.push(write);
    const pending = this.#pending.get(peer) ?? new Set();
    for (const earlier of pending) if (earlier.id === id) earlier.overtakers.push(write);
    this.#pending.set(peer, pending.add(write));
    return write;
  }

  async #finish(
    peer: SimulatedPeer,
    writes: readonly Write[],
    stored: Promise<unknown>,
  ): Promise<void> {
    try {
      await stored;
      for (const write of writes) write.acknowledged = true;
    } finally {
      for (const write of writes) this.#pending.get(peer)!.delete(write);
    }
  }

  /** What was written is seen by who wrote it from then on. */
  async #checkVisible(ledger: Ledger, write: Write): Promise<void> {
    if (write.overtakers.length > 0 || !this.#random.oneIn(4)) return;
    const history = await ledger.history(write.id);
    if (history.some(({ set }) => Object.values(set).some(isOf(write)))) return;
    throw new Error(`write ${write.number} was acknowledged and is not to be seen`);
  }

  #document(write: Write): Document {
    const fields = FIELDS.filter(() => this.#random.oneIn(2));
    if (fields.length === 0) fields.push(this.#random.pick(FIELDS));
    const values = fields.map((field) => [field, this.#value(write)]);
    return { _id: write.id, ...(Object.fromEntries(values) as Record<string, DocumentValue>) };
  }

  #value(write: Write): DocumentValue {
    const text = `w${write.number}`;
    switch (this.#random.below(12)) {
      case 0:
        return [text, this.#random.below(100)];
      case 1:
        return { text, bytes: new Uint8Array(this.#random.below(40)) };
      case 2:
        return `${text} ${'x'.repeat(this.#random.below(6000))}`;
      default:
        return text;
    }
  }
}

/** The numbers of the writes that commits hold. */
export function numbersIn(commits: Iterable<Uint8Array>): Set<number> {
  const numbers = new Set<number>();
  for (const bytes of commits) for (const number of writesIn(bytes)) numbers.add(number);
  return numbers;
}

function isOf(write: Write): (value: DocumentValue) => boolean {
  const pattern = new RegExp(`\\bw${write.number}\\b`);
  return (value) => pattern.test(JSON.stringify(value));
}
