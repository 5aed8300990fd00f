import type { Log, LogPosition } from '../storage/log.ts';
import { turns } from '../turn.ts';
import type { ClockState } from './clock-state.ts';
import type { Documents } from './documents.ts';
import { loadLater } from './load-later.ts';
import { Replay } from './replay.ts';

/** Nothing is loaded unless there is a snapshot. */
export function newReplay(log: Log, state: ClockState, documents: Documents): Replay {
  return new Replay(log, state, documents, loadLater);
}

/** Replays a log from a position on. @throws StorageError; LedgerError `not-loaded` */
export async function replayLog(
  log: Log,
  from: LogPosition | undefined,
  state: ClockState,
  documents: Documents,
): Promise<Replay> {
  const replay = newReplay(log, state, documents);
  const turn = turns();
  for await (const entries of log.recover(from)) {
    await turn();
    for (const entry of entries) await replay.add(entry);
  }
  replay.finish();
  return replay;
}
