import { tellOutcome } from '../child.ts';
import { PEERS } from '../peers/index.ts';
import { WORKLOADS, type WorkloadName } from '../workloads/index.ts';
import type { Metrics, Workload } from '../workloads/workload.ts';

/** What this process is to do: the one argument, as JSON. */
export interface Task {
  readonly workload: WorkloadName;
  readonly peer: string;
  readonly n: number;
  readonly step: 'prepare' | 'run';
  readonly folder: string;
}

/** One run of one workload for one library: the whole life of this process. */
async function main({ workload, peer: name, n, step, folder }: Task): Promise<Metrics> {
  const peer = await PEERS[name]!.load();
  const steps: Workload = WORKLOADS[workload];
  if (step === 'run') return steps.run({ peer, n, folder });
  await steps.prepare?.({ peer, n, folder });
  return {};
}

await tellOutcome(main);
