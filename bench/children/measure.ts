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

/** What it tells its parent, once. */
export type Outcome = { readonly metrics: Metrics } | { readonly error: string };

/** One run of one workload for one library: the whole life of this process. */
async function main({ workload, peer: name, n, step, folder }: Task): Promise<Outcome> {
  try {
    const peer = await PEERS[name]!.load();
    const steps: Workload = WORKLOADS[workload];
    if (step === 'run') return { metrics: await steps.run({ peer, n, folder }) };
    await steps.prepare?.({ peer, n, folder });
    return { metrics: {} };
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ERR_MODULE_NOT_FOUND') return { error: 'not installed' };
    console.error(error);
    return { error: String(error).split('\n')[0]! };
  }
}

const outcome = await main(JSON.parse(process.argv[2]!) as Task);
process.send!(outcome, undefined, undefined, () => process.exit());
