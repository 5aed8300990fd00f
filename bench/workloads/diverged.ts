import { encode } from '@ipld/dag-cbor';
import { type BenchDocument, documentAt, documents } from '../documents.ts';
import type { Store } from '../peer.ts';
import { expectDocuments, measureSync, openStores, sync } from './stores.ts';
import type { Workload } from './workload.ts';

/** How many documents each side changes, and how many it adds. */
const HALF = 50;

interface News {
  readonly changed: readonly BenchDocument[];
  readonly added: readonly BenchDocument[];
}

/** W3: n shared; each side has changed 50 documents, spread over all, and added 50, in one tick. */
export const diverged: Workload = divergedBy('in one tick');

/** W3s: the same, but each of the 100 documents was written by itself. */
export const divergedSingly: Workload = divergedBy('singly');

function divergedBy(way: 'in one tick' | 'singly'): Workload {
  return {
    sizes: [100_000],
    async run(run) {
      const { n } = run;
      const [alice, bob] = await openStores(run, 'alice', 'bob');
      await alice.load(documents(0, n));
      await sync(run, alice, bob);
      const [newsOfAlice, newsOfBob] = [newsOf(0, n), newsOf(1, n)];
      await writeNews(alice, newsOfAlice, way);
      await writeNews(bob, newsOfBob, way);
      const measured = await measureSync(run, alice, bob, n + 2 * HALF);
      await expectDocuments(alice, [...newsOfBob.changed, ...newsOfBob.added]);
      await expectDocuments(bob, [...newsOfAlice.changed, ...newsOfAlice.added]);
      let newsBytes = 0;
      for (const { changed, added } of [newsOfAlice, newsOfBob]) {
        for (const document of [...changed, ...added]) newsBytes += encode(document).length;
      }
      return { ...measured, newsBytes, overNews: measured['bytes']! - newsBytes };
    },
  };
}

async function writeNews(store: Store, news: News, way: 'in one tick' | 'singly'): Promise<void> {
  const writes = [
    ...news.changed.map((document) => async () => store.replace(document)),
    ...news.added.map((document) => async () => store.put(document)),
  ];
  if (way === 'singly') for (const write of writes) await write();
  else await Promise.all(writes.map((write) => write()));
}

function newsOf(side: number, n: number): News {
  const step = Math.floor(n / HALF);
  const first = n + side * HALF;
  return {
    changed: Array.from({ length: HALF }, (_, i) => documentAt(i * step + side, 1)),
    added: [...documents(first, first + HALF)],
  };
}
