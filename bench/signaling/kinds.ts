/** What is measured, in the order of the table. */
export const KINDS = {
  emberlink: 'emberlink',
  json: 'a ws relay that reads and writes JSON',
  bare: 'a bare ws relay',
  shared: 'emberlink, two servers over NATS',
} as const;

export type Kind = keyof typeof KINDS;

export interface RelayTask {
  readonly kind: Kind;
  readonly brokerUrl?: string | undefined;
}

export interface LoadTask {
  readonly kind: Kind;
  /** How many connections are held at a time. */
  readonly connections: number;
}

/** What the server's process tells when it is asked. */
export interface Usage {
  readonly rss: number;
  readonly held: number;
  /** Of the process, since its start. */
  readonly cpuMs: number;
}
