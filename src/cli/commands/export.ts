import { open, rename, rm } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Ledger } from '../../index.ts';
import { CliError } from '../errors.ts';
import { reason } from '../input.ts';
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
    .action((path: string, _options: object, command: Command) => {
      if (path === '-' && process.stdout.isTTY) {
        throw new CliError('usage', 'a CAR is no text: give a file, or pipe it on');
      }
      return useLedger(command, 'refuse', (ledger) =>
        path === '-' ? toStdout(ledger, output) : toFile(ledger, path, output),
      );
    });
}

async function toStdout(ledger: Ledger, output: Output): Promise<void> {
  for await (const chunk of ledger.export()) {
    await output.write(chunk);
    await pause();
  }
}

async function toFile(ledger: Ledger, path: string, output: Output): Promise<void> {
  const blocks = ledger.replica.blockCount;
  const progress = new Progress(`exporting to ${path}`, { silent: output.json });
  const draft = `${path}.${process.pid}.part`;
  let bytes = 0;
  try {
    await interruptible(async (signal) => {
      const file = await open(draft, 'wx');
      try {
        for await (const chunk of ledger.export()) {
          await file.writeFile(chunk);
          bytes += chunk.length;
          progress.update(() => ({ detail: formatBytes(bytes) }));
          signal.throwIfAborted();
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
    });
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof Error && 'syscall' in error) {
      throw new CliError('bad-input', `cannot write ${path}: ${reason(error)}`, { cause: error });
    }
    throw error;
  } finally {
    progress.end();
  }
  if (output.json) await output.value({ file: path, blocks, bytes });
  else await output.line(`exported ${counted(blocks, 'block')}, ${formatBytes(bytes)}, to ${path}`);
}
