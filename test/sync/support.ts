import { expect } from 'vitest';
import type { Ledger, SyncStatus, WebSocketSyncStatus } from '../../src/index.ts';

/** A Sync of any kind. */
export interface Watchable<S> {
  readonly status: S;
  subscribe(listener: (status: S) => void): () => void;
}

type AnySync = Watchable<SyncStatus | WebSocketSyncStatus>;

/** The first status, from now on, of which the test holds. */
export function statusWhere<S>(sync: Watchable<S>, test: (status: S) => boolean): Promise<S> {
  return new Promise((resolve) => {
    const look = (status: S): void => {
      if (!test(status)) return;
      unsubscribe();
      resolve(status);
    };
    const unsubscribe = sync.subscribe(look);
    look(sync.status);
  });
}

/** What ended the Sync: its error, or undefined. */
export async function ended(sync: AnySync): Promise<Error | undefined> {
  const status = await statusWhere(sync, ({ state }) => state === 'closed');
  return status.state === 'closed' ? status.error : undefined;
}

/** Resolves when a part of the first sync has arrived, but not all. */
export async function underWay(sync: AnySync): Promise<void> {
  const status = await statusWhere(
    sync,
    (status) => status.state === 'syncing' && status.progress.received.blocks > 0,
  );
  if (status.state !== 'syncing') throw new Error('the first sync is over');
  expect(status.progress.received.blocks).toBeLessThan(status.progress.toReceive.blocks);
}

/** Resolves when the ledger has the document. */
export function arrived(ledger: Ledger, id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      ledger.get(id).then((document) => {
        if (document === undefined) return;
        unsubscribe();
        resolve();
      }, reject);
    };
    const unsubscribe = ledger.subscribe(look);
    look();
  });
}

/** Some megabytes of documents, more than what travels before the receiver says a word. */
export async function fill(ledger: Ledger, prefix = 'large', count = 120): Promise<void> {
  for (let i = 0; i < count; i++) {
    await ledger.put({ _id: `${prefix}:${i}`, data: new Uint8Array(100_000).fill(i) });
  }
}

export async function expectEqual(...ledgers: readonly Ledger[]): Promise<void> {
  const digests = await Promise.all(ledgers.map((ledger) => ledger.digest()));
  expect(new Set(digests).size).toBe(1);
  expect(new Set(ledgers.map((ledger) => String(ledger.clock))).size).toBe(1);
}
