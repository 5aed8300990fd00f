import type { Peer } from '../peer.ts';

/** What one run measured, by the names that the tables know (`tables.ts`). */
export type Metrics = Record<string, number>;

export interface Run {
  readonly peer: Peer;
  /** The size of the workload: documents, or updates. */
  readonly n: number;
  /** A temporary folder of this run. */
  readonly folder: string;
}

/** A run takes place in a process of its own, and so does what prepares it. */
export interface Workload {
  readonly sizes: readonly number[];
  prepare?(run: Run): Promise<void>;
  run(run: Run): Promise<Metrics>;
}
