import type { Command } from 'commander';
import type { Document } from '../../index.ts';
import { stringify } from '../dag-json.ts';
import { CliError } from '../errors.ts';
import { readStdin } from '../input.ts';
import { parseJson } from '../json-stream.ts';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { printable } from '../terminal.ts';

/** get, put, del: one document at a time. */
export function addDocumentCommands(program: Command, output: Output): void {
  program
    .command('get')
    .description('print a document')
    .argument('<id>')
    .action((id: string, _options: object, command: Command) =>
      useLedger(command, 'refuse', async (ledger) => {
        const document = await ledger.get(id);
        if (document === undefined) throw noDocument(id);
        if (output.json) await output.value(document);
        else await output.line(visible(stringify(document, 2)));
      }),
    );

  program
    .command('put')
    .description('store a document; fields that it lacks are removed from the stored one')
    .argument('[document]', 'DAG-JSON with an _id; - or nothing for stdin', '-')
    .option('--resolve', 'let it win over all that concurrent writers left')
    .action(async (text: string, { resolve }: { resolve?: boolean }, command: Command) => {
      const document = parseJson(text === '-' ? await readStdin() : text) as Document;
      await useLedger(command, 'create', async (ledger) => {
        const { id, clock } = await ledger.put(document, { resolve: resolve ?? false });
        if (output.json) await output.value({ id, clock });
        else await output.line(`put ${printable(id)}`);
      });
    });

  program
    .command('del')
    .description('delete a document')
    .argument('<id>')
    .action((id: string, _options: object, command: Command) =>
      useLedger(command, 'refuse', async (ledger) => {
        if ((await ledger.get(id)) === undefined) throw noDocument(id);
        const { clock } = await ledger.del(id);
        if (output.json) await output.value({ id, clock });
        else await output.line(`deleted ${printable(id)}`);
      }),
    );
}

export function noDocument(id: string): CliError {
  return new CliError('not-found', `there is no document '${printable(id)}'`);
}

/** JSON for a terminal: it escapes what is below U+0020 by itself, and its own line ends stay. */
function visible(json: string): string {
  return json.split('\n').map(printable).join('\n');
}
