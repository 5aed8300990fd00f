import type { Log } from '../storage/log.ts';
import type { Documents } from './documents.ts';
import { PAGE_MEAN_BYTES, PAGE_MIN_BYTES } from './page-size.ts';

/** A log is compacted by itself from this size on, 16 MiB, ... */
const AUTO_BYTES = 16 * 1024 * 1024;
/** ... when each document was written more often than this on average. */
const AUTO_WRITINGS = 4;

/** A newcomer is sent a snapshot when the commits have more bytes than this, 16 KiB, ... */
const PAYS_BYTES = 16 * 1024;
/** ... and each document was written more often than this on average. */
const PAYS_WRITINGS = 2;

/** True when the log has outgrown the documents several times over. */
export function hasOutgrownDocuments(log: Log, documents: Documents): boolean {
  return log.bytes >= AUTO_BYTES && documents.hasOutgrown(AUTO_WRITINGS);
}

/** True when a newcomer is better off with a snapshot than with all commits. */
export function snapshotPays(log: Log, documents: Documents): boolean {
  return log.bytes > PAYS_BYTES && documents.hasOutgrown(PAYS_WRITINGS);
}

/** How large a snapshot is, about. */
export function snapshotSize(log: Log, documents: Documents): { blocks: number; bytes: number } {
  const bytes = Math.ceil((log.bytes / (documents.writings + 1)) * documents.states.size);
  return { blocks: 1 + Math.ceil(bytes / (PAGE_MIN_BYTES + PAGE_MEAN_BYTES)), bytes };
}
