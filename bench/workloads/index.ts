import { diverged, divergedSingly } from './diverged.ts';
import { freshPeer } from './fresh-peer.ts';
import { history } from './history.ts';
import { equalStrangers, reconnect } from './in-sync.ts';
import { liveInserts, liveUpdates } from './live.ts';
import { localWrites } from './local.ts';
import { reopen } from './reopen.ts';
import type { Workload } from './workload.ts';

export const WORKLOADS = {
  W1: freshPeer,
  W2: reconnect,
  W2u: equalStrangers,
  W3: diverged,
  W3s: divergedSingly,
  W4: liveInserts,
  W4u: liveUpdates,
  W5: localWrites,
  W5o: reopen,
  W6: history,
} as const satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof WORKLOADS;

export function isWorkload(name: string): name is WorkloadName {
  return Object.hasOwn(WORKLOADS, name);
}
