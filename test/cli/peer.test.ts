import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  connectWebSocket,
  createRoomSecret,
  joinRoom,
  openLedger,
  type Ledger,
  type Room,
} from '../../src/index.ts';
import type { PeerEvent } from '../../src/cli/peer-events.ts';
import { TestServers } from '../signaling/client.ts';
import { SignalingProcess } from '../support/signaling-process.ts';
import { arrived } from '../sync/support.ts';
import { Cli, exitCode, linesOf, resultOf } from './cli.ts';

const SECRET = createRoomSecret();

let cli: Cli;
let url: string;
/** That no other test is in. */
let room: string;
let count = 0;
/** The path of a ledger that no other test uses. */
const pathOf = (short: string): string => join(cli.folder, room, short);
const servers = new TestServers();
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  cli = await Cli.build('peer');
  ({ url } = await servers.start());
});

afterAll(async () => {
  await cli.remove();
  await servers.close();
});

beforeEach(() => {
  room = `garden-${count++}`;
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A running `emberlink peer`, and what it tells. */
class Peer {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #next: () => Promise<string>;

  constructor(...args: string[]) {
    this.child = cli.start('peer', ...args, '--json');
    this.child.stderr.resume();
    this.#next = linesOf(this.child);
  }

  /** The next event of this kind, for which all that is given holds; others are passed over. */
  async next<E extends PeerEvent['event']>(
    event: E,
    like: object = {},
  ): Promise<PeerEvent & { event: E }> {
    for (;;) {
      const told = JSON.parse(await this.#next()) as PeerEvent;
      if (told.event !== event) continue;
      try {
        expect(told).toMatchObject(like);
      } catch {
        continue;
      }
      return told as PeerEvent & { event: E };
    }
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return exitCode(this.child);
  }
}

const flags = (server = url): string[] =>
  ['--room', room, '--secret', SECRET, '--signaling', server].concat('--ice-server', 'none');

/** A member in this process. */
async function member(short: string): Promise<{ ledger: Ledger; room: Room }> {
  const ledger = await openLedger(short, { storage: 'memory' });
  const stay = joinRoom(ledger, {
    room,
    secret: SECRET,
    signaling: url,
    iceServers: [],
    info: { name: short },
  });
  closers.push(
    () => ledger.close(),
    () => stay.leave(),
  );
  return { ledger, room: stay };
}

test('two peers keep what either has, and what members write meanwhile, and end in order', async () => {
  await cli.run('put', '{"_id":"from one"}', '-l', pathOf('one'));
  await cli.run('put', '{"_id":"from two"}', '-l', pathOf('two'));
  const one = new Peer(...flags(), '-l', pathOf('one'), '--name', 'One');
  const two = new Peer(...flags(), '-l', pathOf('two'), '--name', 'Two');
  expect(await one.next('started')).toMatchObject({ room, documents: 1 });
  expect(await one.next('joined')).toMatchObject({ server: url });
  await one.next('peer', { state: 'live', peer: { info: { name: 'Two' } } });
  await two.next('peer', { state: 'live', peer: { info: { name: 'One' } } });

  const alice = await member('alice');
  await alice.ledger.put({ _id: 'from alice' });
  await alice.room.synced();
  await expect.poll(() => alice.room.peers).toHaveLength(2);
  await alice.room.synced();
  expect(alice.ledger.count()).toBe(3);
  await alice.room.leave();
  await one.next('peer', { state: 'gone', peer: { info: { name: 'alice' } } });

  one.child.kill('SIGTERM');
  expect(await one.next('left')).toMatchObject({ documents: 3, received: 2 });
  expect(await exitCode(one.child)).toBe(0);
  expect(await two.stop()).toBe(0);
  for (const short of ['one', 'two']) {
    expect(await cli.values('list', '--ids', '-l', pathOf(short))).toEqual([
      'from alice',
      'from one',
      'from two',
    ]);
  }
});

test('a client by WebSocket and a member over WebRTC write to each other through a peer', async () => {
  const peer = new Peer(...flags(), '-l', pathOf('hub'), '--serve-websocket', '0');
  const { url: door } = await peer.next('serving');
  const alice = await member('alice');
  const bob = await openLedger('bob', { storage: 'memory' });
  const sync = connectWebSocket(bob, door, { room, secret: SECRET });
  closers.push(
    () => bob.close(),
    () => sync.close(),
  );
  await sync.connected();
  await alice.ledger.put({ _id: 'from alice' });
  await bob.put({ _id: 'from bob' });
  await Promise.all([arrived(bob, 'from alice'), arrived(alice.ledger, 'from bob')]);
  await peer.next('client', { state: 'live', access: 'write' });
  await sync.close();
  await peer.next('client', { state: 'closed' });

  const stranger = connectWebSocket(bob, door, { room, secret: createRoomSecret() });
  await expect(stranger.connected()).rejects.toMatchObject({ code: 'wrong-secret' });
  await peer.next('client', { state: 'closed', error: { code: 'wrong-secret' } });
  expect(await peer.stop()).toBe(0);
});

test('a peer that reads only gives nothing, nor lets clients write', async () => {
  await cli.run('put', '{"_id":"mine"}', '-l', pathOf('reader'));
  const only = ['--read-only', '--serve-websocket', '0'];
  const peer = new Peer(...flags(), '-l', pathOf('reader'), ...only);
  const { url: door } = await peer.next('serving');
  const alice = await member('alice');
  await alice.ledger.put({ _id: 'hers' });
  await peer.next('received', { documents: 2 });
  await alice.room.synced();
  expect(alice.ledger.count()).toBe(1);
  const bob = await openLedger('bob', { storage: 'memory' });
  const sync = connectWebSocket(bob, door, { room, secret: SECRET });
  closers.push(
    () => bob.close(),
    () => sync.close(),
  );
  await arrived(bob, 'hers');
  expect(sync.access).toBe('read');
  expect(await peer.stop()).toBe(0);
});

test('it comes back when the signaling server does', async () => {
  let server = await SignalingProcess.start();
  closers.push(() => server.kill());
  const address = await server.call('listen');
  const peer = new Peer(...flags(address), '-l', pathOf('patient'));
  await peer.next('joined');
  await server.kill();
  expect(await peer.next('waiting')).toMatchObject({ server: address });
  server = await SignalingProcess.start();
  await server.call('listen', { port: Number(new URL(address).port) });
  await peer.next('joined');
  expect(await peer.stop()).toBe(0);
});

test('a wrong secret is told plainly; it goes on waiting, and with --once fails', async () => {
  const alice = await member('alice');
  await alice.room.synced();
  await writeFile(join(cli.folder, 'wrong'), 'not the secret of this garden\n');
  const wrong = ['--room', room, '--secret-file', 'wrong', '--signaling', url];
  const once = await cli.run('peer', ...wrong, '-l', pathOf('once'), '--once');
  expect(once).toMatchObject({ code: 1, stderr: expect.stringContaining('another secret') });
  const peer = new Peer(...wrong, '-l', pathOf('stranger'));
  const { error } = await peer.next('error');
  expect(error).toMatchObject({ code: 'wrong-secret', message: expect.stringContaining('secret') });
  // Somebody with the same secret may come yet.
  const friend = new Peer(...wrong, '-l', pathOf('friend'));
  await peer.next('peer', { state: 'live' });
  expect(await Promise.all([peer.stop(), friend.stop()])).toEqual([0, 0]);
  expect(alice.room.peers).toEqual([]);
});

test('with --once it syncs with who is there and leaves, or says that no server answers', async () => {
  const alice = await member('alice');
  await alice.ledger.put({ _id: 'hers' });
  await cli.run('put', '{"_id":"mine"}', '-l', pathOf('visitor'));
  process.env['EMBERLINK_SECRET'] = SECRET;
  try {
    const common = ['peer', '--room', room, '--ice-server', 'none', '--once'];
    const visit = await cli.run(...common, '--signaling', url, '-l', pathOf('visitor'));
    expect(visit).toMatchObject({ code: 0, stderr: '' });
    expect(visit.stdout).toMatch(/left after \d+ s: received 1 change, 2 documents now\n$/);
    expect(await alice.ledger.get('mine')).toBeDefined();

    const nobody = ['--signaling', 'ws://127.0.0.1:1', '-l', pathOf('lonely'), '--timeout', '1s'];
    const lonely = await cli.run(...common, ...nobody);
    expect(lonely).toMatchObject({ code: 1, stderr: expect.stringContaining('no answer in time') });
    expect(lonely.stdout).toContain('ECONNREFUSED');
  } finally {
    delete process.env['EMBERLINK_SECRET'];
  }
});

test('a backup is written when the ledger has changed, and at the end', async () => {
  const file = join(cli.folder, 'backup.car');
  await cli.run('put', '{"_id":"early"}', '-l', pathOf('keeper'));
  const backup = ['--backup', file, '--backup-every', '1s'];
  const peer = new Peer(...flags(), '-l', pathOf('keeper'), ...backup);
  await peer.next('backup', { file });
  await cli.run('import', file, '-l', pathOf('early-copy'));
  expect(await cli.values('list', '--ids', '-l', pathOf('early-copy'))).toEqual(['early']);
  const alice = await member('alice');
  await alice.ledger.put({ _id: 'late' });
  await alice.room.synced();
  expect(await peer.stop()).toBe(0);
  await cli.run('import', file, '-l', pathOf('copy'));
  expect(await cli.values('list', '--ids', '-l', pathOf('copy'))).toEqual(['early', 'late']);

  // A ledger that was lost does not take its backup with it.
  await alice.room.leave();
  const lost = new Peer(...flags(), '-l', pathOf('lost'), ...backup);
  await lost.next('joined');
  expect(await lost.stop()).toBe(0);
  await cli.run('import', file, '-l', pathOf('again'));
  expect(await cli.values('list', '--ids', '-l', pathOf('again'))).toEqual(['early', 'late']);
});

test('a backup that cannot be written is told, tried again, and at the end a failure', async () => {
  const backup = ['--backup', join(cli.folder, 'nowhere', 'b.car'), '--backup-every', '1s'];
  const peer = new Peer(...flags(), '-l', pathOf('keeper'), ...backup);
  const alice = await member('alice');
  await alice.ledger.put({ _id: 'a' });
  for (let i = 0; i < 2; i++) {
    const { error } = await peer.next('error');
    expect(error).toMatchObject({ message: expect.stringContaining('cannot write') });
  }
  expect(await peer.stop()).toBe(1);
});

test('what is wrong on the command line is told, each with its exit code', async () => {
  const refusals: [code: number, says: string, args: string[]][] = [
    [2, '--room', ['--signaling', url]],
    [2, '--signaling', ['--room', room]],
    [2, 'no ws: or wss: URL', ['--room', room, '--signaling', 'http://localhost']],
    [2, 'not both', [...flags(), '--secret-file', 'x']],
    [2, 'empty', ['--room', room, '--signaling', url, '--secret', '']],
    [1, 'cannot read missing', ['--room', room, '--signaling', url, '--secret-file', 'missing']],
    [2, 'no STUN or TURN server', [...flags(), '--ice-server', 'example']],
    [2, 'maxPeers', [...flags(), '--max-peers', 'many']],
    [2, 'no port', [...flags(), '--serve-websocket', '65536']],
    [2, 'go together', [...flags(), '--serve-websocket', '0', '--websocket-tls-cert', 'c.pem']],
    [2, '--serve-websocket', [...flags(), '--websocket-host', '0.0.0.0']],
    [2, '--backup-every', [...flags(), '--backup', 'b.car', '--backup-every', 'often']],
    [1, 'EADDRINUSE', [...flags(), '--serve-websocket', new URL(url).port]],
  ];
  for (const [code, says, args] of refusals) {
    const result = await cli.run('peer', '-l', pathOf('wrong'), ...args);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) });
  }
});

test('a ledger that another process holds is exit code 4', async () => {
  const peer = new Peer(...flags(), '-l', pathOf('held'));
  await peer.next('started');
  const second = cli.start('peer', ...flags(), '-l', pathOf('held'));
  second.stdin.end();
  expect(await resultOf(second)).toMatchObject({ code: 4 });
  expect(await peer.stop()).toBe(0);
});
