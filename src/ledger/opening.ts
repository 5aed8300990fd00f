import { StorageError } from '../errors.ts';
import type { Log } from '../storage/log.ts';
import type { Place } from '../storage/place.ts';
import { BlockCache } from './block-cache.ts';
import type { CommitTable } from './commit-table.ts';
import { decodeIndex } from './saved-index.ts';

/** Files beside the log, in the same place. */
export const INDEX_FILE = 'index';
const WRITER_FILE = 'writer';

const WRITER_BYTES = 8;

/** The id under which this ledger writes, made when it is opened for the first time. */
export async function readWriter(place: Place): Promise<Uint8Array> {
  const stored = await readFile(place, WRITER_FILE);
  if (stored?.length === WRITER_BYTES) return stored;
  const writer = globalThis.crypto.getRandomValues(new Uint8Array(WRITER_BYTES));
  await place.replace(WRITER_FILE, writer);
  return writer;
}

/** The saved index when it fits the log: made from the same segments, which may have grown since. */
export async function readIndex(
  place: Place,
  log: Log,
): Promise<(ReturnType<typeof decodeIndex> & { bytes: number }) | undefined> {
  const bytes = await readFile(place, INDEX_FILE);
  const index = bytes && decodeIndex(bytes);
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

/** Commits by number, read from the log; `onCorrupt` is told when one is not what was written. */
export function cacheOf(
  log: Log,
  table: CommitTable,
  cacheBytes: number,
  onCorrupt: () => void,
): BlockCache {
  return new BlockCache(cacheBytes, (commit) => {
    const failed = (error: unknown): never => {
      if (error instanceof StorageError && error.code === 'corrupt') onCorrupt();
      throw error;
    };
    try {
      const bytes = log.read(table.location(commit), table.cid(commit));
      return bytes instanceof Promise ? bytes.catch(failed) : bytes;
    } catch (error) {
      return failed(error);
    }
  });
}
