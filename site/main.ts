/** The command behind `npm start` and `npm run pair`: the site on a local address, until Ctrl-C. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SignalingServerError } from 'emberlink/server';
import { interruptible } from '../src/cli/interrupt.ts';
import { type Asset, buildSite, withSignaling } from './build-site.ts';
import { type RunningSite, startSite } from './start-site.ts';

interface Flags {
  readonly port: number;
  readonly host?: string;
  readonly out?: string;
  readonly signaling?: string;
}

const EXIT = { ok: 0, failed: 1, usage: 2 };

const program = new Command('npm run pair --')
  .usage('[options]')
  .description('Serves the pages of emberlink, with a signaling server, until Ctrl-C.')
  .addOption(
    new Option('--port <number>', 'port to listen on; 0 for any free one')
      .env('PORT')
      .default(8080)
      .argParser(portOf),
  )
  .option('--host <address>', 'address to listen on; this machine alone when it is not given')
  .option('--out <folder>', 'write the pages there, for any web server, and end')
  .option(
    '--signaling <address>',
    'with --out: the signaling server of the game (wss://…); none when it is not given',
  )
  .configureOutput({ writeErr: (text) => process.stderr.write(text.replace(/^error: /, '')) })
  .exitOverride();

try {
  const { port, host, out, signaling } = program.parse().opts<Flags>();
  const site = await buildSite();
  if (out === undefined) await serve(site, { port, host });
  else await write(withSignaling(site, signaling ?? ''), out);
} catch (error) {
  process.exitCode = exitCodeOf(error);
  if (!(error instanceof CommanderError)) process.stderr.write(`${wordsOf(error)}\n`);
}

async function serve(
  site: ReadonlyMap<string, Asset>,
  options: { port: number; host: string | undefined },
): Promise<void> {
  await interruptible(async (signal) => {
    const running = await startSite(site, options);
    process.stdout.write(`\n${addresses(running)}\nCtrl-C ends it.\n`);
    if (!signal.aborted) await once(signal, 'abort');
    await running.close();
  });
}

function addresses({ url, signalingUrl }: RunningSite): string {
  return [
    `all pages     ${url}`,
    `game          ${url}game/    alone with bots at once; its link brings friends in`,
    `pairing page  ${url}pair/    open it in two browsers, or two profiles`,
    `signaling     ${signalingUrl}`,
  ].join('\n');
}

async function write(site: ReadonlyMap<string, Asset>, folder: string): Promise<void> {
  for (const [path, { bytes }] of site) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  process.stdout.write(`${site.size} files are in ${folder}\n`);
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port < 65_536) return port;
  throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof CommanderError)) return EXIT.failed;
  return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}

function wordsOf(error: unknown): string {
  const { message } = error as Error;
  const isTaken = error instanceof SignalingServerError && error.code === 'address-in-use';
  return isTaken ? `${message}: choose another one by --port, or by the variable PORT` : message;
}
