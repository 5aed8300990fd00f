import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CID, Ledger } from '../../index.ts';
import { timeInMs } from '../../ledger/clock.ts';
import { readCommit } from '../../ledger/commit.ts';
import { drawGraph } from '../graph.ts';
import { ledgerFolder, useLedger, type LedgerPlace } from '../ledger.ts';
import type { Output } from '../output.ts';
import {
  clip,
  columnsOf,
  counted,
  formatBytes,
  formatCount,
  formatTime,
  pad,
  printable,
  shortCid,
  textWidth,
} from '../terminal.ts';
import { parseLimit } from './query.ts';

/** How many document ids of a commit are named. */
const NAMED_IDS = 5;

/** The lane of every parent that is not shown. */
const OLDER = 'older';

interface CommitSummary {
  readonly cid: CID;
  /** Milliseconds since 1970, by the writer's clock. */
  readonly time: number;
  readonly writer: string;
  readonly puts: number;
  readonly deletes: number;
  /** The first documents it wrote. */
  readonly ids: readonly string[];
  readonly bytes: number;
  readonly parents: readonly CID[];
}

interface Summary {
  readonly name: string;
  /** This ledger's id as a writer. */
  readonly writer: string;
  readonly clock: readonly CID[];
  readonly documents: number;
  readonly commits: number;
  readonly bytes: number;
  readonly segments: readonly { name: string; bytes: number }[];
  /** The newest commits, the newest first. */
  readonly newest: readonly CommitSummary[];
}

export function addInspectCommand(program: Command, output: Output): void {
  program
    .command('inspect')
    .description('show the clock: the newest commits and how they hang together, heads, sizes')
    .option('--limit <n>', 'at most so many commits', parseLimit, 20)
    .action(({ limit }: { limit: number }, command: Command) =>
      useLedger(command, 'refuse', async (ledger, options) => {
        const summary = await summarize(ledger, options, limit);
        if (output.json) await output.value(summary);
        else await print(summary, output);
      }),
    );
}

async function summarize(ledger: Ledger, options: LedgerPlace, limit: number): Promise<Summary> {
  const { replica } = ledger;
  let recent: CID[] = [];
  let bytes = 0;
  for await (const cid of replica.cids()) {
    bytes += replica.blockSize?.(cid) ?? 0;
    recent.push(cid);
    if (recent.length > limit * 2 + 1000) recent = recent.slice(-limit);
  }
  const newest: { ticks: number; commit: CommitSummary }[] = [];
  for (const cid of limit === 0 ? [] : recent.slice(-limit)) {
    const block = await replica.getBlock(cid);
    if (block !== undefined) newest.push(summarizeCommit(cid, block, ledger));
  }
  // A commit's time is greater than its parents', so this puts children first.
  newest.sort((a, b) => b.ticks - a.ticks);
  return {
    name: ledger.name,
    writer: ledger.writer,
    clock: ledger.clock,
    documents: ledger.count(),
    commits: replica.blockCount,
    bytes,
    segments: await segmentsOf(ledgerFolder(options)),
    newest: newest.map(({ commit }) => commit),
  };
}

function summarizeCommit(
  cid: CID,
  bytes: Uint8Array,
  ledger: Ledger,
): { ticks: number; commit: CommitSummary } {
  const { time, writer, operations } = readCommit(bytes);
  const deletes = operations.filter(({ deleted }) => deleted).length;
  const commit = {
    cid,
    time: timeInMs(time),
    writer: Buffer.from(writer).toString('hex'),
    puts: operations.length - deletes,
    deletes,
    ids: operations.slice(0, NAMED_IDS).map(({ id }) => id),
    bytes: bytes.length,
    parents: ledger.replica.parentsOf({ cid, bytes }) ?? [],
  };
  return { ticks: time, commit };
}

async function segmentsOf(folder: string): Promise<{ name: string; bytes: number }[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.car')).sort();
  return Promise.all(
    names.map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size })),
  );
}

// --- for people ---

async function print(summary: Summary, output: Output): Promise<void> {
  const { name, writer, documents, commits, bytes, segments, clock, newest } = summary;
  const onDisk = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const fact = (label: string, text: string): Promise<void> =>
    output.line(`${output.style('dim', pad(label, 9))}  ${text}`);
  await fact('ledger', output.style('bold', name));
  await fact('writer', writer);
  await fact('documents', formatCount(documents));
  await fact('commits', `${formatCount(commits)}, ${formatBytes(bytes)}`);
  await fact('on disk', `${formatBytes(onDisk)} in ${counted(segments.length, 'segment')}`);
  for (const [nth, head] of clock.entries()) {
    if (nth === MAX_HEADS) {
      await fact('', `and ${counted(clock.length - nth, 'more head')}`);
      break;
    }
    await fact(nth === 0 ? 'heads' : '', head.toString());
  }
  if (newest.length === 0) return;
  await output.line('');
  await printGraph(summary, output);
}

async function printGraph({ newest, commits }: Summary, output: Output): Promise<void> {
  const shown = new Set(newest.map(({ cid }) => cid.toString()));
  const nodes = newest.map(({ cid, parents }) => ({
    id: cid.toString(),
    parents: parents.map(String).map((parent) => (shown.has(parent) ? parent : OLDER)),
  }));
  const older = commits - newest.length;
  if (older > 0) nodes.push({ id: OLDER, parents: [] });
  const rows = drawGraph(nodes);
  const width = Math.max(...rows.map(({ commit }) => textWidth(commit)));
  for (const [nth, { above, commit, below }] of rows.entries()) {
    if (above !== undefined) await output.line(above);
    const summary = newest[nth];
    if (summary === undefined) {
      await output.line(`${commit.replace('●', '┆')} ${counted(older, 'older commit')}`);
      continue;
    }
    const { cid, time, writer } = summary;
    const what = clip(operationsOf(summary), Math.max(20, columnsOf(process.stdout) - width - 62));
    await output.line(
      `${pad(commit, width)}  ${output.style('yellow', shortCid(cid))}  ${formatTime(time)}  ` +
        `${output.style('dim', writer.slice(0, 16))}  ${what}`,
    );
    if (below !== undefined) await output.line(below);
  }
}

/** Heads that are printed. */
const MAX_HEADS = 10;

function operationsOf({ puts, deletes, ids }: CommitSummary): string {
  const kinds = [
    ...(puts > 0 ? [counted(puts, 'put')] : []),
    ...(deletes > 0 ? [counted(deletes, 'delete')] : []),
  ];
  const more = puts + deletes > ids.length ? ', …' : '';
  return `${kinds.join(', ')}: ${ids.map(printable).join(', ')}${more}`;
}
