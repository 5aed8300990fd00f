import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NetworkInterfaceInfo, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import encodeQR from 'qr';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { networkAddresses } from '../site/network-addresses.ts';
import { TestClient } from './signaling/client.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** A clone of the project, as far as its commands need it, which builds into its own folder. */
const clone = mkdtempSync(join(tmpdir(), 'emberlink-site-'));
const APART = ['node_modules', '.git', '.built', 'dist', 'test'];
const START_TIMEOUT_MS = 240_000;

/** `npm start`, on a free port. */
let start: Command;
let url: string;

class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = '';

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(program, args, {
      cwd: clone,
      env: { ...process.env, ...env },
      // As a terminal does: Ctrl-C reaches all of its processes.
      detached: true,
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      const more = await Promise.race([once(this.child.stdout!, 'data'), this.ended]);
      if (!Array.isArray(more)) throw new Error(`it ended (${more}) with: ${this.output}`);
    }
  }

  interrupt(): void {
    process.kill(-this.child.pid!, 'SIGINT');
  }
}

function site(...args: string[]): Command {
  return new Command(process.execPath, ['dist/site/main.js', ...args]);
}

beforeAll(async () => {
  cpSync(root, clone, {
    recursive: true,
    filter: (path) => !APART.includes(relative(root, path).split('/').at(-1)!),
  });
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
  start = new Command('npm', ['start', '--', '--port', '0']);
  url = (await start.says(/all pages {5}(\S+)/))[1]!;
}, START_TIMEOUT_MS);

afterAll(async () => {
  const { exitCode, signalCode } = start.child;
  if (exitCode === null && signalCode === null) start.interrupt();
  await start.ended;
  rmSync(clone, { recursive: true });
});

test('npm start has a room of the game ready, for this machine and for a phone', () => {
  const link = /game {10}(\S+)/.exec(start.output)![1]!;
  expect(link).toMatch(/^http:\/\/localhost:\d+\/game\/#room=\w+&key=ember-/);
  const [address] = networkAddresses();
  if (address === undefined) expect(start.output).toContain('no phone finds it');
  else {
    const forPhone = link.replace('localhost', address);
    expect(start.output).toContain(`for a phone in this network: ${forPhone}\n`);
    expect(start.output).toContain(encodeQR(forPhone, 'ascii', { ecc: 'low', border: 2 }));
  }
});

test('the address for a phone is that of the home network, where there are several', () => {
  const address = (address: string, internal = false): NetworkInterfaceInfo => ({
    address,
    internal,
    family: 'IPv4',
    netmask: '',
    mac: '',
    cidr: null,
  });
  const lo = [address('127.0.0.1', true)];
  const all = { lo, docker0: [address('172.17.0.1')], wlan0: [address('192.168.1.23')] };
  expect(networkAddresses(all)).toEqual(['192.168.1.23', '172.17.0.1']);
  expect(networkAddresses({ lo })).toEqual([]);
});

test('the commands are what the README says', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  for (const command of [
    'npm start',
    'npm run pair',
    'npm run game:build',
    'npm run example:two-peers',
  ])
    expect(readme).toContain(command);
});

test('each page is there with all that it needs, and needs nothing from elsewhere', async () => {
  const pages = ['', 'game/', 'pair/', 'docs/', 'docs/api/emberlink.html', 'docs/protocol.html'];
  for (const page of pages) {
    const address = new URL(page, url);
    const html = await (await fetch(address)).text();
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/<script(?! type="module" src=)|<[^>]*\s(?:style|on\w+)=/);
    // Links for readers may lead elsewhere.
    const own = html.replaceAll(/<a href="https:[^"]*"/g, '');
    const needed = [...own.matchAll(/\s(?:src|href)="([^"#]+)[^"]*"/g)].map(([, path]) => path!);
    expect(needed.length).toBeGreaterThan(2);
    for (const path of needed) {
      const resource = new URL(path, address);
      expect(resource.origin).toBe(address.origin);
      const response = await fetch(resource);
      expect([path, response.status]).toEqual([path, 200]);
      expect(response.headers.get('content-type')).toMatch(
        /^(text\/(html|css|javascript|plain)|image)/,
      );
    }
  }
});

test('a folder without its slash leads to the page, and what is not there is not found', async () => {
  const folder = await fetch(new URL('pair?list=one', url), { redirect: 'manual' });
  expect([folder.status, folder.headers.get('location')]).toEqual([308, '/pair/']);
  for (const path of ['package.json', 'pair/pair', '%2e%2e/package.json', '/']) {
    expect((await fetch(`${url}${path}`)).status, path).toBe(404);
  }
});

test('members of rooms find each other on the same port', async () => {
  const [, signalingUrl] = await start.says(/signaling {5}(\S+)/);
  expect(new URL(signalingUrl!).port).toBe(new URL(url).port);
  const client = await TestClient.connect(signalingUrl!);
  client.socket.close();
});

test('a port that is taken is said plainly', async () => {
  const holder = createServer().listen(0, 'localhost');
  onTestFinished(() => void holder.close());
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const command = new Command(process.execPath, ['dist/site/main.js'], { PORT: String(port) });
  expect(await command.ended).toBe(1);
  expect(command.output).toBe(
    `port ${port} is taken: choose another one by --port, or by the variable PORT\n`,
  );
});

test('what it cannot do is refused in words, and --help tells what it can', async () => {
  const wrong = site('--port', 'eighty');
  expect(await wrong.ended).toBe(2);
  expect(wrong.output).toContain('A port is a whole number from 0 to 65535.');
  const help = site('--help');
  expect(await help.ended).toBe(0);
  for (const word of ['--port', 'PORT', '--host', '--network', '--out', '--game', '--signaling'])
    expect(help.output).toContain(word);
});

test('the pages can be written down, for any web server', async () => {
  const command = site('--out', 'pages');
  expect(await command.ended).toBe(0);
  expect(readdirSync(join(clone, 'pages'))).toEqual(
    expect.arrayContaining(['index.html', 'pair', 'chunks']),
  );
  const written = readFileSync(join(clone, 'pages/pair/index.html'), 'utf8');
  expect(written).toBe(await (await fetch(new URL('pair/', url))).text());
});

test('the game alone can be written down, with a signaling server or without one', async () => {
  const told = (folder: string): string | undefined =>
    /"emberfield-signaling" content="([^"]*)"/.exec(
      readFileSync(join(clone, folder, 'index.html'), 'utf8'),
    )?.[1];
  expect(await site('--out', 'silent', '--game').ended).toBe(0);
  expect(told('silent'), 'files alone are no signaling server').toBe('');
  const address = 'wss://signal.example/rooms';
  expect(await site('--out', 'told', '--game', '--signaling', address).ended).toBe(0);
  expect(told('told')).toBe(address);
  expect(readFileSync(join(clone, 'told/index.html'), 'utf8')).not.toContain('../');
});

test('Ctrl-C ends everything, whoever is connected', async () => {
  const [, signalingUrl] = await start.says(/signaling {5}(\S+)/);
  const client = await TestClient.connect(signalingUrl!);
  start.interrupt();
  await client.closed;
  await start.ended;
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});
