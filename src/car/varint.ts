/** Unsigned LEB128 as multiformats writes it: minimal, and here at most 2^53 - 1 (8 bytes). */
export const MAX_VARINT_BYTES = 8;

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Writes `value` at `at` and returns the place behind it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    target[next++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[next++] = rest;
  return next;
}

/**
 * The value that starts at `at` and ends before `end`; -1 when there is none that is minimal and
 * within the bound. It takes `varintLength(value)` bytes.
 */
export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  let scale = 1;
  const limit = Math.min(end, at + MAX_VARINT_BYTES);
  for (let next = at; next < limit; next++) {
    const byte = bytes[next]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      const minimal = byte !== 0 || next === at;
      return minimal && value <= Number.MAX_SAFE_INTEGER ? value : -1;
    }
    scale *= 0x80;
  }
  return -1;
}
