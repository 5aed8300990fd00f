#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { addCompactCommand } from './commands/compact.ts';
import { addDocumentCommands } from './commands/documents.ts';
import { addExportCommand } from './commands/export.ts';
import { addHistoryCommands } from './commands/history.ts';
import { addImportCommand } from './commands/import.ts';
import { addInspectCommand } from './commands/inspect.ts';
import { addPeerCommand } from './commands/peer.ts';
import { addQueryCommands } from './commands/query.ts';
import { addSecretCommand } from './commands/secret.ts';
import { addSignalCommand } from './commands/signal.ts';
import { addSyncCommands } from './commands/sync.ts';
import { addVerifyCommand } from './commands/verify.ts';
import { exitCodeOf } from './errors.ts';
import { addGlobalOptions } from './ledger.ts';
import { Output } from './output.ts';

const EXIT_CODES = `
Exit codes:
  0    done
  1    failed
  2    wrong usage
  3    not found: no such ledger or document
  4    the ledger is open elsewhere
  5    the ledger is damaged
  130  interrupted; the ledger holds what was written before`;

const args = process.argv.slice(2);
const output = new Output(args.includes('--json'));
const debug = args.includes('--debug');

try {
  await buildProgram().parseAsync(args, { from: 'user' });
} catch (error) {
  process.exitCode = exitCodeOf(error);
  // Commander has shown its help, where it was asked for that.
  if (process.exitCode !== 0) output.error(error, debug);
}
await output.flush();
// Not left to the end of events: an open stdin or a WebRTC connection just closed would hold it up.
process.exit();

function buildProgram(): Command {
  const program = new Command('emberlink')
    .description('A local-first ledger of documents that peers sync over WebRTC.')
    .version(version())
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeErr: () => {} })
    .addHelpText('after', EXIT_CODES)
    .exitOverride(refuse);
  addGlobalOptions(program);
  addImportCommand(program, output);
  addExportCommand(program, output);
  addDocumentCommands(program, output);
  addQueryCommands(program, output);
  addHistoryCommands(program, output);
  addInspectCommand(program, output);
  addVerifyCommand(program, output);
  addCompactCommand(program, output);
  addSyncCommands(program, output);
  addPeerCommand(program, output);
  addSecretCommand(program, output);
  addSignalCommand(program, output);
  return program;
}

/** Commander's own errors, which it does not print itself, in the form of ours. */
function refuse(error: CommanderError): never {
  const message =
    error.code === 'commander.help' ? 'which command? see emberlink --help' : error.message;
  throw new CommanderError(error.exitCode, error.code, message.replace(/^error: /, ''));
}

function version(): string {
  const require = createRequire(import.meta.url);
  return (require('emberlink/package.json') as { version: string }).version;
}
