import { CLOSE_CODES, type SignalingErrorCode } from './messages.ts';

/** Why an upgrade was refused, with the HTTP status that says so. */
export const UPGRADE_STATUS = {
  path: 404,
  protocol: 400,
  origin: 403,
  address: 429,
  full: 503,
  draining: 503,
} as const;

export type UpgradeRefusal = keyof typeof UPGRADE_STATUS;

/** What a server has done since it started. Plain numbers, since some change with every message. */
export class Counts {
  connections = 0;
  messagesRelayed = 0;
  bytesRelayed = 0;
  slowReaders = 0;
  halfOpen = 0;
  idle = 0;
  /** Frames that break WebSocket's own rules, too large ones included. */
  badFrames = 0;
  failures = 0;
  readonly refusals: Record<SignalingErrorCode, number> = zeros(
    Object.keys(CLOSE_CODES) as SignalingErrorCode[],
  );
  readonly upgradesRefused: Record<UpgradeRefusal, number> = zeros(
    Object.keys(UPGRADE_STATUS) as UpgradeRefusal[],
  );
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
