import { expect, it } from 'vitest';
import {
  formatBytes,
  formatDuration,
  formatNumber,
  formatTime,
  formatValue,
  shortCid,
} from '../../src/inspector/format.ts';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9_949, '9.9 kB'],
  [9_950, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [34_000_000, '34 MB'],
  [5e15, '5000 TB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

it.each([
  [0.38, '0.4 ms'],
  [12.4, '12 ms'],
  [1500, '1.5 s'],
  [59_949, '59.9 s'],
  [180_000, '3 min'],
  [5_400_000, '1.5 h'],
])('%d milliseconds are %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

it('counts in words', () => {
  expect(formatNumber(1, 'commit')).toBe('1 commit');
  expect(formatNumber(1234, 'commit')).toBe('1,234 commits');
});

it('leaves the date out of times of today', () => {
  const noon = new Date(2026, 10, 21, 12, 3, 4, 56).getTime();
  expect(formatTime(noon, noon)).toBe('12:03:04.056');
  expect(formatTime(noon, noon + 86_400_000)).toBe('2026-11-21 12:03:04.056');
});

it('shows any value of a document in a line, and the end of a CID', () => {
  expect(formatValue({ title: 'Fire', tags: ['red', 2] })).toBe(
    '{"title":"Fire","tags":["red",2]}',
  );
  expect(formatValue(undefined)).toBe('removed');
  expect(formatValue([12n, new Uint8Array(3)])).toBe('["12n","3 bytes"]');
  const long = formatValue('x'.repeat(1000));
  expect(long.length).toBe(160);
  expect(long.endsWith('…')).toBe(true);
  expect(shortCid('bafyreigh2akiscaildcabcdefgh')).toBe('…abcdefgh');
});
