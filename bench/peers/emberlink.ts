import { createReadStream, createWriteStream } from 'node:fs';
import { cp } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/open-ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { Session } from '../../src/protocol/session.ts';
import type { BenchDocument } from '../documents.ts';
import type { Link, Peer, Pipe, Store } from '../peer.ts';

class EmberlinkStore implements Store {
  readonly ledger: Ledger;
  readonly #folder: string | undefined;

  /** @param folder where its log is; undefined for a log in memory */
  constructor(ledger: Ledger, folder: string | undefined) {
    this.ledger = ledger;
    this.#folder = folder;
  }

  async load(documents: Iterable<BenchDocument>): Promise<void> {
    await this.ledger.bulk(documents);
  }

  async put(document: BenchDocument): Promise<void> {
    await this.ledger.put(document);
  }

  replace(document: BenchDocument): Promise<void> {
    return this.put(document);
  }

  changePlays(document: BenchDocument): Promise<void> {
    return this.put(document);
  }

  async get(id: string): Promise<BenchDocument | undefined> {
    return (await this.ledger.get(id)) as BenchDocument | undefined;
  }

  count(): number {
    return this.ledger.count();
  }

  subscribe(listener: (id: string) => void): void {
    this.ledger.subscribe(({ ids, origin }) => {
      if (origin === 'remote') for (const id of ids) listener(id);
    });
  }

  async save(folder: string): Promise<void> {
    if (this.#folder === undefined) {
      await pipeline(
        Readable.from(this.ledger.export()),
        createWriteStream(`${folder}/ledger.car`),
      );
      await this.ledger.close();
    } else {
      await this.ledger.close();
      await cp(this.#folder, folder, { recursive: true });
    }
  }

  close(): Promise<void> {
    return this.ledger.close();
  }
}

interface Variant {
  /** With its log in files, or in memory; the memory ledger outlasts its process as an exported CAR. */
  readonly log: 'disk' | 'memory';
  readonly compression?: 'always';
  readonly history?: 'full';
}

export function emberlink({ log, compression, history }: Variant): Peer<EmberlinkStore> {
  const options: LedgerOptions = history === undefined ? {} : { history };
  const open = async (folder: string, name: string): Promise<EmberlinkStore> => {
    if (log === 'disk') {
      return new EmberlinkStore(await openLedger(name, { ...options, folder }), folder);
    }
    const ledger = await openLedger(name, { ...options, storage: 'memory' });
    return new EmberlinkStore(ledger, undefined);
  };
  return {
    maxFrameBytes: 65_536,
    open,
    async reopen(folder, name) {
      const store = await open(folder, name);
      if (log === 'memory') await store.ledger.import(createReadStream(`${folder}/ledger.car`));
      return store;
    },
    join: (alice, bob, pipe) => join(alice, bob, pipe, compression ?? 'auto'),
  };
}

function join(
  alice: EmberlinkStore,
  bob: EmberlinkStore,
  pipe: Pipe,
  compression: 'auto' | 'always',
): Link {
  const sessions = [alice, bob].map(
    ({ ledger }, side) => new Session(pipe[side]!, ledger.replica, { compression }),
  );
  const ended = Promise.all(sessions.map((session) => session.run()));
  const synced = Promise.all(sessions.map((session) => session.firstSync())).then(() => {});
  return {
    synced: Promise.race([synced, ended.then(() => {})]),
    async close() {
      await sessions[0]!.close();
      await ended;
    },
  };
}
