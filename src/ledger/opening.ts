import { concatBytes } from '../bytes.ts';
import { StorageError } from '../errors.ts';
import type { Log } from '../storage/log.ts';
import type { Place } from '../storage/place.ts';
import { BlockCache } from './block-cache.ts';
import type { CommitTable } from './commit-table.ts';
import { isPage, type PageTable } from './pages.ts';
import { decodeIndex } from './saved-index.ts';

/** Files beside the log, in the same place. */
export const INDEX_FILE = 'index';
const WRITER_FILE = 'writer';

const REPLICA_ID_BYTES = 8;
const OPENING_BYTES = 4;

/** What names this ledger among the copies of its data, made when it is opened for the first time. */
export async function readReplicaId(place: Place): Promise<Uint8Array> {
  const stored = await readFile(place, WRITER_FILE);
  if (stored?.length === REPLICA_ID_BYTES) return stored;
  const id = randomBytes(REPLICA_ID_BYTES);
  await place.replace(WRITER_FILE, id);
  return id;
}

/**
 * The id under which a ledger writes while it is open. Each opening has one of its own, because a
 * writer's commits must follow one another: an opening from a backup, or after a loss of power, might
 * not know the last ones of the opening before.
 */
export function newWriter(replicaId: Uint8Array): Uint8Array {
  return concatBytes([replicaId, randomBytes(OPENING_BYTES)]);
}

function randomBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length));
}

/** The saved index when it fits the log: made from the same segments, which may have grown since. */
export async function readIndex(
  place: Place,
  log: Log,
): Promise<(Awaited<ReturnType<typeof decodeIndex>> & { bytes: number }) | undefined> {
  const bytes = await readFile(place, INDEX_FILE);
  const index = bytes && (await decodeIndex(bytes));
  if (index === undefined) return undefined;
  const { position, segments } = index;
  for (const [segment, size] of segments) {
    const found = log.segments.get(segment) ?? -1;
    if (segment === position.segment ? found < position.offset : found !== size) return undefined;
  }
  for (const segment of log.segments.keys()) {
    if (segment <= position.segment && !segments.has(segment)) return undefined;
  }
  return { ...index, bytes: bytes!.length };
}

async function readFile(place: Place, name: string): Promise<Uint8Array | undefined> {
  const file = (await place.list()).find((entry) => entry.name === name);
  return file && place.read(name, 0, file.size);
}

/** Commits and pages by number, from the log; `onCorrupt` is told of one that is not what was written. */
export function cacheOf(
  log: Log,
  table: CommitTable,
  pages: PageTable,
  cacheBytes: number,
  onCorrupt: () => void,
): BlockCache {
  return new BlockCache(cacheBytes, (holder) => {
    const failed = (error: unknown): never => {
      if (error instanceof StorageError && error.code === 'corrupt') onCorrupt();
      throw error;
    };
    try {
      const source = isPage(holder) ? pages : table;
      const bytes = log.read(source.location(holder), source.cid(holder));
      return bytes instanceof Promise ? bytes.catch(failed) : bytes;
    } catch (error) {
      return failed(error);
    }
  });
}
