import type { Command } from 'commander';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { counted, formatBytes } from '../terminal.ts';

export function addCompactCommand(program: Command, output: Output): void {
  program
    .command('compact')
    .description('let all but the newest commits give way to a snapshot of the documents')
    .action((_options: object, command: Command) =>
      useLedger(command, 'refuse', async (ledger) => {
        const report = await ledger.compact();
        if (output.json) return output.value(report);
        const { bytesBefore, bytesAfter, dropped } = report;
        const bytes = `${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} now`;
        await output.line(`dropped ${counted(dropped, 'commit')}: ${bytes}`);
      }),
    );
}
