import { isOurs, PEERS } from './peers/index.ts';
import type { Results, Row } from './results.ts';
import { type Column, type Table, TABLES, type Target } from './tables.ts';
import { isBare } from './webrtc/index.ts';
import { isWorkload } from './workloads/index.ts';
import type { Metrics } from './workloads/workload.ts';

const ABSENT = '–';

/** The whole page of results, as Markdown. */
export function render({ versions, tables }: Results): string {
  const sections = [
    '# Results',
    'Made by `npm run bench`, `npm run bench:webrtc`, `npm run bench:diff`, `npm run bench:browser`, `npm run bench:mesh`, `npm run bench:game` and `npm run bench:signaling`: do not edit. What the workloads are and what the columns mean stands in [README.md](README.md). Times are of one machine at one time: compare rows of one table only.',
    'Ratios: **1.0x** is the best of the other libraries, **2.0x** is twice as good, **0.5x** half as good. Targets are our own; **met** is met, **0.6x** is six tenths of the way.',
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
  ];
  for (const [kind, table] of Object.entries(TABLES)) {
    const sizes = Object.keys(tables)
      .filter((key) => key.split(' ')[0] === kind)
      .map((key) => Number(key.split(' ')[1]))
      .toSorted((a, b) => a - b);
    if (sizes.length > 0) sections.push(`## ${kind}: ${table.title}`);
    const expected = isWorkload(kind)
      ? Object.keys(PEERS).filter((name) => PEERS[name]!.only?.includes(kind) !== false)
      : [];
    for (const n of sizes) {
      const rows = tables[`${kind} ${n}`]!;
      sections.push(
        `**n = ${n.toLocaleString('en')}**`,
        tableOf(table, n, rows, expected),
        footOf(rows),
      );
    }
  }
  return `${sections.join('\n\n')}\n`;
}

/**
 * One table, for the page and for the terminal.
 * @param expected rows that say so when they were not measured
 */
export function tableOf(
  table: Table,
  n: number,
  rows: Readonly<Record<string, Row>>,
  expected: readonly string[] = [],
): string {
  const { columns } = table;
  const targets = table.targets.filter((target) => target.n === undefined || target.n === n);
  const others = Object.entries(rows).filter(([name]) => !isOurs(name) && !isBare(name));
  const best = new Map(
    columns.map((column) => [
      column,
      bestOf(
        column,
        others.flatMap(([, row]) => valuesOf(row)),
      ),
    ]),
  );
  const head = [
    '',
    ...columns.flatMap(({ title, compare }) => (compare ? [title, 'ratio'] : [title])),
  ];
  if (targets.length > 0) head.push('target');
  const runs = Math.max(...Object.values(rows).map((row) => ('runs' in row ? row.runs : 0)));
  const names = [...new Set([...expected, ...Object.keys(rows)])];
  const lines = inOrder(names).map((name) => {
    const row = rows[name];
    if (row === undefined || 'failed' in row) {
      return [name, row?.failed ?? 'not measured', ...head.slice(2).map(() => ABSENT)];
    }
    const metrics = row.medians;
    const cells = columns.flatMap((column) => {
      const value = valueOf(column, metrics);
      const cell = formatted(value, column.format);
      return column.compare ? [cell, ratioOf(column, value, best.get(column))] : [cell];
    });
    if (targets.length > 0) cells.push(isOurs(name) ? verdicts(targets, name, metrics) : '');
    return [nameOf(name, row, runs), ...cells];
  });
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** With fewer runs than the other rows have, it says so. */
function nameOf(name: string, row: Row, most: number): string {
  if (!('runs' in row) || row.runs === most) return name;
  return `${name}, ${row.runs} ${row.runs === 1 ? 'run' : 'runs'} only`;
}

/** Ours first, the others as they are listed, what is not listed last. */
function inOrder(names: readonly string[]): string[] {
  const order = Object.keys(PEERS);
  const place = (name: string): number =>
    order.includes(name) ? order.indexOf(name) : order.length;
  return names.toSorted((a, b) => place(a) - place(b));
}

function footOf(rows: Readonly<Record<string, Row>>): string {
  const told = Object.values(rows).map((row) => {
    const note = row.note === undefined ? '' : `; ${row.note}`;
    return { at: row.measuredAt.slice(0, 10), machine: `${row.machine}${note}` };
  });
  const distinct = (values: string[]): string => [...new Set(values)].filter(Boolean).join(' / ');
  const runs = Math.max(...Object.values(rows).map((row) => ('runs' in row ? row.runs : 1)));
  return `${distinct(told.map(({ at }) => at))}, medians of ${runs}. ${distinct(told.map(({ machine }) => machine))}.`;
}

function valuesOf(row: Row): Metrics[] {
  return 'medians' in row ? [row.medians] : [];
}

function valueOf({ value }: Column, metrics: Metrics): number {
  return typeof value === 'string' ? (metrics[value] ?? NaN) : value(metrics);
}

function bestOf(column: Column, all: readonly Metrics[]): number | undefined {
  const values = all.map((metrics) => valueOf(column, metrics)).filter(Number.isFinite);
  if (values.length === 0) return undefined;
  return column.compare === 'more' ? Math.max(...values) : Math.min(...values);
}

function ratioOf({ compare }: Column, value: number, best: number | undefined): string {
  if (best === undefined || !Number.isFinite(value)) return ABSENT;
  const ratio = compare === 'more' ? value / best : best / value;
  return `${factor(ratio)}x`;
}

function verdicts(targets: readonly Target[], name: string, metrics: Metrics): string {
  return targets
    .filter(({ row, metric }) => metric in metrics && name.includes(row ?? ''))
    .map(({ title, metric, limit, better }) => {
      const value = metrics[metric]!;
      const reached = better === 'less' ? limit / value : value / limit;
      // Below nothing, or above the limit: the limit is kept.
      const isMet = better === 'less' ? value <= limit : value >= limit;
      return `${title} ${isMet ? 'met' : `**${reached.toPrecision(2)}x**`}`;
    })
    .join(', ');
}

function factor(ratio: number): string {
  return ratio >= 100 ? ratio.toFixed(0) : ratio >= 0.095 ? ratio.toFixed(1) : ratio.toPrecision(1);
}

function formatted(value: number, format: Column['format']): string {
  if (!Number.isFinite(value)) return ABSENT;
  switch (format) {
    case 'ms':
      return value < 10 ? `${value.toPrecision(2)} ms` : `${grouped(value)} ms`;
    case 'bytes': {
      const size = Math.abs(value);
      if (size < 1000) return `${value.toFixed(size < 10 && size % 1 > 0 ? 1 : 0)} B`;
      if (size < 1_000_000) return `${(value / 1000).toPrecision(3)} kB`;
      return `${size < 1e9 ? (value / 1e6).toPrecision(3) : grouped(value / 1e6)} MB`;
    }
    case 'perSecond':
      return `${grouped(Number(value.toPrecision(3)))}/s`;
    case 'count':
      return grouped(value);
    case 'decimal':
      return value.toFixed(1);
    case 'factor':
      return `${value < 100 ? value.toPrecision(3) : grouped(value)}x`;
  }
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString('en');
}
