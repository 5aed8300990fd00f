import type { Command } from 'commander';
import type { Ledger } from '../../index.ts';
import { chunksOf, writeCar } from '../car-file.ts';
import { CliError } from '../errors.ts';
import { interruptible, pause } from '../interrupt.ts';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import { counted, formatBytes } from '../terminal.ts';

export function addExportCommand(program: Command, output: Output): void {
  program
    .command('export')
    .description('write all commits as a CAR')
    .argument('<file>', 'the file, which appears when it is complete; - for stdout')
    .option('--snapshot', 'the documents of now, without their past')
    .action((path: string, { snapshot = false }: { snapshot?: boolean }, command: Command) => {
      if (path === '-' && process.stdout.isTTY) {
        throw new CliError('usage', 'a CAR is no text: give a file, or pipe it on');
      }
      return useLedger(command, 'refuse', (ledger) =>
        path === '-' ? toStdout(ledger, snapshot, output) : toFile(ledger, snapshot, path, output),
      );
    });
}

async function toStdout(ledger: Ledger, snapshot: boolean, output: Output): Promise<void> {
  for await (const chunk of chunksOf(ledger, snapshot)) {
    await output.write(chunk);
    await pause();
  }
}

async function toFile(
  ledger: Ledger,
  snapshot: boolean,
  path: string,
  output: Output,
): Promise<void> {
  const commits = ledger.replica.history.commitCount;
  const progress = new Progress(`exporting to ${path}`, { silent: output.json });
  let bytes = 0;
  try {
    await interruptible((signal) =>
      writeCar(chunksOf(ledger, snapshot), path, (length) => {
        bytes = length;
        progress.update(() => ({ detail: formatBytes(bytes) }));
        signal.throwIfAborted();
      }),
    );
  } finally {
    progress.end();
  }
  if (output.json) await output.value({ file: path, commits, bytes });
  else
    await output.line(`exported ${counted(commits, 'commit')}, ${formatBytes(bytes)}, to ${path}`);
}
