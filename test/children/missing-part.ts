/**
 * An app of several files, one of which cannot be had at first, as when a page is offline. Tells what
 * its calls come to, as JSON, and must then end by itself. Arguments: `Sync`, or the URL of a server.
 */
import { readdir, rename } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  connectWebSocket,
  openLedger,
  Sync,
  type EmberlinkError,
  type SyncStatus,
  type WebSocketSyncStatus,
} from '../../src/index.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Makes a file of this app unreachable; returns what brings it back. */
async function hide(part: string): Promise<() => Promise<void>> {
  const names = await readdir(folder);
  const path = folder + names.find((name) => name.startsWith(`${part}-`));
  await rename(path, `${path}.gone`);
  return () => rename(`${path}.gone`, path);
}

function facts(error: unknown): object {
  const { name, code, message, cause } = error as EmberlinkError;
  return { name, code, message, cause: String(cause) };
}

/** What a call was refused with. */
async function refusal(call: () => unknown): Promise<object> {
  try {
    await call();
  } catch (error) {
    return facts(error);
  }
  throw new Error('nothing was refused');
}

/** All statuses from now on; of those that carry an error, its facts. */
function courseOf(sync: {
  subscribe(listener: (status: SyncStatus | WebSocketSyncStatus) => void): () => void;
}): object[] {
  const course: object[] = [];
  sync.subscribe((status) => {
    if (status.state === 'syncing') return;
    course.push(
      'error' in status
        ? { state: status.state, error: facts(status.error) }
        : { state: status.state },
    );
  });
  return course;
}

async function pairBySync(): Promise<object> {
  const bringBack = await hide('sync-machinery');
  const [alice, bob] = [await openLedger('a', IN_MEMORY), await openLedger('b', IN_MEMORY)];
  await alice.put({ _id: 'song', title: 'Wildfire' });
  const newSync = (ledger: typeof alice): Sync => new Sync(ledger, { iceServers: [] });

  const given = newSync(alice);
  const ofGiven = refusal(() => given.offer());
  given.destroy();
  const [atAlice, atBob] = [newSync(alice), newSync(bob)];
  const course = courseOf(atAlice);
  const refusals = {
    destroyed: await ofGiven,
    offer: await refusal(() => atAlice.offer()),
    secondOffer: await refusal(() => atAlice.offer()),
    accept: await refusal(() => atBob.accept('an offer')),
    connect: await refusal(() => atAlice.connect('an answer')),
  };
  const states = { given: given.status.state, atBob: atBob.status.state };

  await bringBack();
  atAlice.connect(await atBob.accept(await atAlice.offer()));
  await atBob.backlog();
  const song = await bob.get('song');
  await atAlice.close();
  await Promise.all([alice.close(), bob.close()]);
  return { refusals, states, course, song };
}

async function followServer(url: string): Promise<object> {
  const bringBack = await hide('websocket-sessions');
  const bob = await openLedger('b', IN_MEMORY);
  const once = connectWebSocket(bob, url, { reconnect: false });
  const ended = await refusal(() => once.connected());
  const sync = connectWebSocket(bob, url);
  const course = courseOf(sync);
  await new Promise<void>((resolve) => {
    const stop = sync.subscribe(({ state }) => {
      if (state !== 'waiting') return;
      stop();
      resolve();
    });
  });

  await bringBack();
  await sync.backlog();
  const song = await bob.get('song');
  await sync.close();
  await bob.close();
  return { ended, course, song };
}

const IN_MEMORY = { storage: 'memory' } as const;
const what = process.argv[2]!;
console.log(JSON.stringify(await (what === 'Sync' ? pairBySync() : followServer(what))));
