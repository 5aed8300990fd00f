import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { openLedger, type Ledger } from '../index.ts';
import { CliError } from './errors.ts';

/** Where a ledger is: a folder of its name in a folder of ledgers. */
export interface LedgerPlace {
  readonly ledger: string;
  readonly folder: string;
}

export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option(
        '-l, --ledger <name>',
        'the ledger: its name in the folder, or its path, such as ./data/garden',
      )
        .env('EMBERLINK_LEDGER')
        .default('default'),
    )
    .addOption(
      new Option('-f, --folder <dir>', 'the folder that holds the ledgers')
        .env('EMBERLINK_FOLDER')
        .default('.emberlink'),
    )
    .option('--json', 'for programs: DAG-JSON on stdout, errors as JSON on stderr')
    .option('--debug', 'print where an error came from');
}

export function ledgerFolder({ folder, ledger }: LedgerPlace): string {
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
  action: (ledger: Ledger, place: LedgerPlace) => Promise<T>,
): Promise<T> {
  const place = placeOf(command.optsWithGlobals<LedgerPlace>());
  if (missing === 'refuse' && !existsSync(ledgerFolder(place))) {
    throw new CliError(
      'not-found',
      `there is no ledger '${place.ledger}' in ${resolve(place.folder)}`,
    );
  }
  const ledger = await openLedger(place.ledger, { folder: place.folder });
  try {
    return await action(ledger, place);
  } finally {
    await ledger.close();
  }
}

/** A path, which no name can be, stands for itself. */
function placeOf({ ledger, folder }: LedgerPlace): LedgerPlace {
  if (!/[/\\]/.test(ledger)) return { ledger, folder };
  const path = resolve(ledger);
  return { ledger: basename(path), folder: dirname(path) };
}
