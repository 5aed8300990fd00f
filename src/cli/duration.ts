import { CliError } from './errors.ts';

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What a timer can wait for. */
const MAX_MS = 2 ** 31 - 1;

/**
 * `30s`, `10m`, `2h` or `1d` in milliseconds.
 * @param flag for messages
 * @throws CliError `usage`
 */
export function parseDuration(text: string, flag: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * UNITS[(unit ?? 's') as keyof typeof UNITS];
  if (ms > 0 && ms <= MAX_MS) return ms;
  throw new CliError(
    'usage',
    `${flag}: '${text}' is no time from 1s to 24d, such as 30s, 10m or 2h`,
  );
}
