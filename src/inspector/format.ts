const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];
const MAX_VALUE_CHARACTERS = 160;
const SHORT_CID_CHARACTERS = 8;

/** `812 B`, `1.2 kB`, `34 MB`: in steps of a thousand. */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit++;
  }
  return `${unit > 0 && amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${UNITS[unit]}`;
}

/** `0.4 ms`, `12 ms`, `1.5 s`, `3 min`, `2 h`. */
export function formatDuration(ms: number): string {
  if (ms < 9.95) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`;
  if (ms < 3_570_000) return `${Math.round(ms / 60_000)} min`;
  return `${Number((ms / 3_600_000).toFixed(1))} h`;
}

/** `1,234`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** `1 commit`, `2 commits`. */
export function formatNumber(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** The time of day here, to the millisecond; with the date unless that is `todayMs`'s. */
export function formatTime(ms: number, todayMs: number): string {
  const time = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const exact = `${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
  if (time.toDateString() === new Date(todayMs).toDateString()) return exact;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${exact}`;
}

/** The end of a CID: the beginnings are all the same. */
export function shortCid(cid: string): string {
  return `…${cid.slice(-SHORT_CID_CHARACTERS)}`;
}

/** A value of a document in a line, cut when it is long. */
export function formatValue(value: unknown): string {
  if (value === undefined) return 'removed';
  const text = JSON.stringify(value, (_, each: unknown) => readable(each));
  if (text.length <= MAX_VALUE_CHARACTERS) return text;
  return `${text.slice(0, MAX_VALUE_CHARACTERS - 1)}…`;
}

function readable(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return `${formatNumber(value.length, 'byte')}`;
  return value;
}
