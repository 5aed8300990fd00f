import type { JSHandle, Page } from 'puppeteer-core';
import * as emberlink from '../../../src/index.ts';
import type { Document, Ledger, LedgerOptions, Sync, SyncOptions } from '../../../src/index.ts';

/** Something that lives in a page, or in this process: functions of a test are called with it there. */
export interface Handle<T> {
  evaluate<Args extends unknown[], Result>(
    action: (value: T, ...args: Args) => Result,
    ...args: Args
  ): Promise<Awaited<Result>>;
  evaluateHandle<Args extends unknown[], Result>(
    action: (value: T, ...args: Args) => Result,
    ...args: Args
  ): Promise<Handle<Awaited<Result>>>;
}

/** A ledger in a page, or in this process, and its Sync. */
export class Peer {
  readonly ledger: Handle<Ledger>;
  #sync: Handle<Sync> | undefined;

  static async open(page: Page | 'node', name: string, options: LedgerOptions): Promise<Peer> {
    const open = (it: string, how: LedgerOptions): Promise<Ledger> =>
      globalThis.emberlink.openLedger(it, how);
    if (page !== 'node') {
      return new Peer(
        (await page.evaluateHandle(open, name, options)) as JSHandle as Handle<Ledger>,
      );
    }
    // Functions of tests find the public names where they are in a page.
    globalThis.emberlink = emberlink;
    return new Peer(here(await open(name, options)));
  }

  private constructor(ledger: Handle<Ledger>) {
    this.ledger = ledger;
  }

  put(document: Document): Promise<unknown> {
    return this.ledger.evaluate(async (ledger, it) => void (await ledger.put(it)), document);
  }

  get(id: string): Promise<Document | undefined> {
    return this.ledger.evaluate((ledger, it) => ledger.get(it), id);
  }

  /** Of all documents. */
  ids(): Promise<string[]> {
    return this.ledger.evaluate(async (ledger) =>
      (await ledger.allDocs()).rows.map(({ id }) => id),
    );
  }

  /** Documents `<prefix>:0`, … of some 200 bytes. */
  fill(prefix: string, count: number): Promise<unknown> {
    return this.ledger.evaluate(
      async (ledger, name, howMany) => {
        const text = 'something that is written down '.repeat(5);
        const numbers = Array.from({ length: howMany }, (_, number) => number);
        await ledger.bulk(numbers.map((number) => ({ _id: `${name}:${number}`, number, text })));
      },
      prefix,
      count,
    );
  }

  /** What the ledger holds, in a word. */
  digest(): Promise<string> {
    return this.ledger.evaluate((ledger) => ledger.digest());
  }

  // --- its Sync ---

  get sync(): Handle<Sync> {
    if (this.#sync === undefined) throw new Error('it is not connected');
    return this.#sync;
  }

  /** Connects the two by an offer and an answer; what connected this one before has ended. */
  async connect(other: Peer, options: SyncOptions = { iceServers: [] }): Promise<void> {
    await this.#sync?.evaluate((sync) => sync.destroy());
    const make = (ledger: Ledger, how: SyncOptions): Sync =>
      new globalThis.emberlink.Sync(ledger, how);
    this.#sync = await this.ledger.evaluateHandle(make, options);
    other.#sync = await other.ledger.evaluateHandle(make, options);
    const offer = await this.sync.evaluate((sync) => sync.offer());
    const answer = await other.sync.evaluate((sync, text) => sync.accept(text), offer);
    await this.sync.evaluate((sync, text) => sync.connect(text), answer);
    await Promise.all([this, other].map((peer) => peer.sync.evaluate((sync) => sync.connected())));
  }

  async synced(): Promise<void> {
    await this.sync.evaluate((sync) => sync.synced());
  }

  /** Ends the Sync and the ledger. */
  async close(): Promise<void> {
    await this.#sync?.evaluate((sync) => sync.close());
    await this.ledger.evaluate((ledger) => ledger.close());
  }
}

function here<T>(value: T): Handle<T> {
  return {
    evaluate: (action, ...args) => later(() => action(value, ...args)),
    evaluateHandle: async (action, ...args) => here(await action(value, ...args)),
  };
}

async function later<Result>(action: () => Result): Promise<Awaited<Result>> {
  return await action();
}
