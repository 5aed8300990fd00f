/** The command behind `npm start`, `npm run pair` and `npm run game:build`. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SignalingServerError } from 'emberlink/server';
import encodeQR from 'qr';
import { linkTo, readAddress } from '../demo-game/address.ts';
import { interruptible } from '../src/cli/interrupt.ts';
import { type Asset, buildGame, buildSite } from './build-site.ts';
import { networkAddresses } from './network-addresses.ts';
import { type RunningSite, startSite } from './start-site.ts';

interface Flags {
  readonly port: number;
  readonly host?: string;
  readonly network: boolean;
  readonly out?: string;
  readonly game: boolean;
  readonly signaling: string;
}

const EXIT = { ok: 0, failed: 1, usage: 2 };

const program = new Command('npm start --')
  .usage('[options]')
  .description(
    'Serves the game, the pairing page and the docs, with a signaling server, until Ctrl-C.',
  )
  .addOption(
    new Option('--port <number>', 'port to listen on; 0 for any free one')
      .env('PORT')
      .default(8080)
      .argParser(portOf),
  )
  .option('--host <address>', 'address to listen on; this machine alone when it is not given')
  .option('--network', 'listen for other machines of this network too, such as a phone', false)
  .option('--out <folder>', 'write the pages there, for any web server, and end')
  .option('--game', 'with --out: the game alone', false)
  .option(
    '--signaling <address>',
    'with --game: its signaling server (wss://…); none when it is not given: then friends paste',
    '',
  )
  .configureOutput({ writeErr: (text) => process.stderr.write(text.replace(/^error: /, '')) })
  .exitOverride();

try {
  const { out, game, signaling, ...flags } = program.parse().opts<Flags>();
  if (out === undefined) await serve(await buildSite(), flags);
  else await write(await (game ? buildGame(signaling) : buildSite()), out);
} catch (error) {
  process.exitCode = exitCodeOf(error);
  if (!(error instanceof CommanderError)) process.stderr.write(`${wordsOf(error)}\n`);
}

async function serve(
  site: ReadonlyMap<string, Asset>,
  { port, host, network }: Pick<Flags, 'port' | 'host' | 'network'>,
): Promise<void> {
  const everywhere = network && host === undefined;
  await interruptible(async (signal) => {
    const running = await startSite(site, { port, host: everywhere ? '0.0.0.0' : host });
    const text = everywhere ? withPhone(running) : addresses(running.url, running.signalingUrl);
    process.stdout.write(`\n${text}\nCtrl-C ends it.\n`);
    if (!signal.aborted) await once(signal, 'abort');
    await running.close();
  });
}

function addresses(url: string, signalingUrl: string, game = `${url}game/`): string {
  return [
    `all pages     ${url}`,
    `game          ${game}`,
    `pairing page  ${url}pair/    open it in two browsers, or two profiles`,
    `signaling     ${signalingUrl}`,
  ].join('\n');
}

/** The addresses, with a room of the game that is ready, and its link for a phone to scan. */
function withPhone({ url, signalingUrl }: RunningSite): string {
  const here = at(url, 'localhost');
  const page = new URL('game/', here);
  const room = readAddress(page);
  const text = addresses(here, at(signalingUrl, 'localhost'), linkTo(page, room));
  const [near, ...others] = networkAddresses();
  if (near === undefined) return `${text}\n\nThis machine is in no network: no phone finds it.`;
  const link = linkTo(new URL(at(page.href, near)), room);
  const more = others.map((address) => `also          ${at(here, address)}`);
  return [text, ...more, `\nThe same room for a phone in this network: ${link}\n`, code(link)].join(
    '\n',
  );
}

function at(url: string, hostname: string): string {
  return Object.assign(new URL(url), { hostname }).href;
}

/** A QR code of half blocks. Terminals have their own colours, so it brings its own. */
function code(text: string): string {
  const picture = encodeQR(text, 'ascii', { ecc: 'low', border: 2 }).trimEnd();
  if (!process.stdout.isTTY) return picture;
  return picture.replaceAll(/^.*$/gm, (row) => `\x1b[97;40m${row}\x1b[0m`);
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
