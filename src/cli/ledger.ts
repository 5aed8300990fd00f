import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { openLedger, type Ledger } from '../index.ts';
import { CliError } from './errors.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  readonly ledger: string;
  readonly folder: string;
}

export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option('-l, --ledger <name>', 'the ledger').env('EMBERLINK_LEDGER').default('default'),
    )
    .addOption(
      new Option('-f, --folder <dir>', 'the folder that holds the ledgers')
        .env('EMBERLINK_FOLDER')
        .default('.emberlink'),
    )
    .option('--json', 'for programs: DAG-JSON on stdout, errors as JSON on stderr')
    .option('--debug', 'print where an error came from');
}

export function ledgerFolder({ folder, ledger }: GlobalOptions): string {
  return resolve(folder, ledger);
}

/**
 * Opens the ledger that the command line names, and closes it whatever happens.
 * @param missing what to do when there is no such ledger yet
 * @throws CliError `not-found`, and what `openLedger` throws
 */
export async function useLedger<T>(
  command: Command,
  missing: 'create' | 'refuse',
  action: (ledger: Ledger, options: GlobalOptions) => Promise<T>,
): Promise<T> {
  const options = command.optsWithGlobals<GlobalOptions>();
  if (missing === 'refuse' && !existsSync(ledgerFolder(options))) {
    throw new CliError(
      'not-found',
      `there is no ledger '${options.ledger}' in ${resolve(options.folder)}`,
    );
  }
  const ledger = await openLedger(options.ledger, { folder: options.folder });
  try {
    return await action(ledger, options);
  } finally {
    await ledger.close();
  }
}
