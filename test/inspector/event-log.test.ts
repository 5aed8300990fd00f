import { expect, it } from 'vitest';
import { EVENT_KINDS, EventLog, type LoggedEvent, passes } from '../../src/inspector/event-log.ts';

function event(text: string, more: Partial<LoggedEvent> = {}): Omit<LoggedEvent, 'number'> {
  return { at: 0, kind: 'message', peer: undefined, text, facts: {}, ...more };
}

function texts(log: EventLog, upTo?: number): string[] {
  return Array.from(log.newestFirst(upTo), ({ text }) => text);
}

it('keeps the last events, newest first, and says how many there were', () => {
  const log = new EventLog(3);
  expect(texts(log)).toEqual([]);
  for (const text of ['a', 'b']) log.add(event(text));
  expect(texts(log)).toEqual(['b', 'a']);
  for (const text of ['c', 'd', 'e']) log.add(event(text));
  expect(texts(log)).toEqual(['e', 'd', 'c']);
  expect([log.count, log.size]).toEqual([5, 3]);
});

it('tells what there was up to an event, as far as it is kept', () => {
  const log = new EventLog(3);
  for (const text of ['a', 'b', 'c']) log.add(event(text));
  expect(texts(log, 2)).toEqual(['b', 'a']);
  for (const text of ['d', 'e']) log.add(event(text));
  expect(texts(log, 3)).toEqual(['c']);
  expect(texts(log, 2)).toEqual([]);
  log.clear();
  expect(texts(log)).toEqual([]);
  log.add(event('f'));
  expect([...log.newestFirst()].map(({ number }) => number)).toEqual([6]);
});

it('finds events by kind, by peer and by a part of their text', () => {
  const all = { kinds: new Set(EVENT_KINDS), peer: undefined, text: '' };
  const one = { number: 1, ...event('Symbols, 1.2 kB', { peer: 'bob' }) };
  expect(passes(one, all)).toBe(true);
  expect(passes(one, { ...all, kinds: new Set(['blocks']) })).toBe(false);
  expect(passes(one, { ...all, peer: 'bob', text: 'symbols' })).toBe(true);
  expect(passes(one, { ...all, peer: 'alice' })).toBe(false);
  expect(passes(one, { ...all, text: 'list' })).toBe(false);
});

it('becomes lines of JSON, oldest first', () => {
  const log = new EventLog(2);
  log.add(event('too old'));
  log.add(event('first', { at: Date.UTC(2026, 0, 1), peer: 'bob', facts: { bytes: 12 } }));
  log.add(event('second\nline'));
  const lines = log.toJsonLines().trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      at: '2026-01-01T00:00:00.000Z',
      number: 2,
      kind: 'message',
      peer: 'bob',
      text: 'first',
      bytes: 12,
    },
    { at: '1970-01-01T00:00:00.000Z', number: 3, kind: 'message', text: 'second\nline' },
  ]);
});
