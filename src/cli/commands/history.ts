import type { Command } from 'commander';
import type { ConflictVersion, HistoryEntry, Ledger } from '../../index.ts';
import { stringify } from '../dag-json.ts';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { clip, columnsOf, counted, formatTime, printable, shortCid } from '../terminal.ts';
import { noDocument } from './documents.ts';

/** history, conflicts: how a document came to be what it is. */
export function addHistoryCommands(program: Command, output: Output): void {
  program
    .command('history')
    .description('print every writing of a document, oldest first')
    .argument('<id>')
    .action((id: string, _options: object, command: Command) =>
      useLedger(command, 'refuse', async (ledger) => {
        const entries = await ledger.history(id);
        if (entries.length === 0) throw noDocument(id);
        for (const entry of entries) {
          if (output.json) await output.value(entry);
          else await output.line(`${origin(entry, output)}  ${changesOf(entry, output)}`);
        }
      }),
    );

  program
    .command('conflicts')
    .description('print what concurrent writers left unsettled; put --resolve settles it')
    .argument('<id>')
    .action((id: string, _options: object, command: Command) =>
      useLedger(command, 'refuse', (ledger) => printConflicts(ledger, id, output)),
    );
}

async function printConflicts(ledger: Ledger, id: string, output: Output): Promise<void> {
  const conflicts = await ledger.conflicts(id);
  if (conflicts.length === 0 && (await ledger.get(id)) === undefined) throw noDocument(id);
  for (const conflict of conflicts) {
    if (output.json) {
      await output.value(conflict);
      continue;
    }
    const { kind, versions } = conflict;
    await output.line(
      kind === 'field'
        ? `${output.style('bold', printable(conflict.field))}: ${counted(versions.length, 'version')}`
        : `${output.style('bold', 'deleted')} while others edited it`,
    );
    for (const [nth, version] of versions.entries()) {
      const mark = kind === 'field' && nth === 0 ? '→' : ' ';
      const value = kind === 'field' ? valueOf(version) : 'deleted';
      await output.line(`${mark} ${origin(version, output)}  ${value}`);
    }
  }
  if (conflicts.length === 0) output.note('no conflicts');
}

function origin({ time, commit, writer }: ConflictVersion | HistoryEntry, output: Output): string {
  const cid = output.style('yellow', shortCid(commit));
  return `${formatTime(time)}  ${cid}  ${output.style('dim', writer.slice(0, 16))}`;
}

function changesOf({ deleted, set, unset }: HistoryEntry, output: Output): string {
  if (deleted) return output.style('red', 'deleted');
  const removed = unset.map((field) => ` -${printable(field)}`).join('');
  return fit(printable(stringify(set)) + removed);
}

function valueOf({ value }: ConflictVersion): string {
  return value === undefined ? 'removed' : fit(printable(stringify(value)));
}

/** Cut to what the terminal has left beside `origin`. */
function fit(text: string): string {
  return clip(text, Math.max(20, columnsOf(process.stdout) - 60));
}
