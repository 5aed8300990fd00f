import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { ConnectionError, joinRoom, RoomError, type Ledger, type Room } from '../../index.ts';
import type { ServeWebSocketOptions, SyncClient, SyncServer } from '../../server.ts';
import { Backup, type BackupOptions } from '../backup.ts';
import { parseDuration } from '../duration.ts';
import { CliError, describeError } from '../errors.ts';
import { EventLog } from '../event-log.ts';
import { iceServerOption, parseIceServers } from '../ice-servers.ts';
import { reason } from '../input.ts';
import { interruptible } from '../interrupt.ts';
import { ledgerFolder, useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { Received } from '../received.ts';
import { readSecret, type SecretFlags } from '../room-secret.ts';
import { RoomWatch } from '../room-watch.ts';

interface PeerFlags extends SecretFlags {
  readonly room: string;
  readonly signaling: string;
  readonly token?: string;
  readonly name?: string;
  readonly maxPeers?: string;
  readonly iceServer?: readonly string[];
  readonly readOnly?: boolean;
  readonly once?: boolean;
  readonly timeout: string;
  readonly serveWebsocket?: string;
  readonly websocketHost?: string;
  readonly websocketTlsCert?: string;
  readonly websocketTlsKey?: string;
  readonly backup?: string;
  readonly backupEvery: string;
  readonly backupSnapshot?: boolean;
}

interface PeerSettings {
  readonly room: Parameters<typeof joinRoom>[1];
  /** Undefined for an endless stay; else how long a server may take to answer, and links to stand. */
  readonly onceWithinMs: number | undefined;
  readonly serve: ServeWebSocketOptions | undefined;
  readonly backup: BackupOptions | undefined;
}

const ONCE_LOOK_MS = 250;

/** peer: stays in a room, so that what its members write is always to be had. */
export function addPeerCommand(program: Command, output: Output): void {
  program
    .command('peer')
    .description('keep a ledger in sync with the members of a room, until Ctrl-C or SIGTERM')
    .addOption(required('--room <name>', 'the room', 'EMBERLINK_ROOM'))
    .addOption(
      new Option(
        '--secret <text>',
        "the room's secret. Who lists the processes of this machine sees it: better in a file, or " +
          'in EMBERLINK_SECRET',
      ),
    )
    .option('--secret-file <file>', 'a file that holds the secret')
    .addOption(
      required(
        '--signaling <urls>',
        'the signaling server, or several of them, separated by commas',
        'EMBERLINK_SIGNALING',
      ),
    )
    .addOption(
      new Option('--token <text>', 'what the signaling server asks for').env('EMBERLINK_TOKEN'),
    )
    .option('--name <text>', 'what others see of this peer')
    .option('--max-peers <count>', 'links in a room that is larger (default: 12)')
    .addOption(iceServerOption())
    .option('--read-only', 'take what others write, and give nothing')
    .option('--once', 'sync with those who are there, then leave')
    .option('--timeout <time>', 'with --once: wait so long for a server, and for a link', '30s')
    .option('--serve-websocket <port>', 'serve the ledger to clients of connectWebSocket as well')
    .option('--websocket-host <host>', 'address to serve at; 0.0.0.0 for all (default: 127.0.0.1)')
    .option('--websocket-tls-cert <file>', 'PEM file of the TLS certificate, with its chain')
    .option('--websocket-tls-key <file>', 'PEM file of the key to it')
    .option('--backup <file>', 'write the ledger to a CAR as it changes, and at the end')
    .option('--backup-every <time>', 'how often at most, such as 30s, 10m or 2h', '10m')
    .option('--backup-snapshot', 'back up the documents of now, without their past')
    .action(async (flags: PeerFlags, command: Command) => {
      const settings = await readPeerSettings(flags);
      await useLedger(command, 'create', async (ledger, options) => {
        const peer = new PeerRun(ledger, settings, output);
        await interruptible((signal) => peer.run(ledgerFolder(options), signal));
        await peer.end();
      });
    });
}

function required(flags: string, about: string, variable: string): Option {
  return new Option(flags, about).env(variable).makeOptionMandatory();
}

/** @throws CliError `usage`, `bad-input` */
async function readPeerSettings(flags: PeerFlags): Promise<PeerSettings> {
  const { room, token, name, maxPeers, readOnly = false, backup } = flags;
  const secret = await readSecret(flags);
  return {
    room: {
      room,
      signaling: flags.signaling.split(',').map((url) => url.trim()),
      access: readOnly ? 'read' : 'write',
      ...parseIceServers(flags.iceServer),
      ...(secret === undefined ? {} : { secret }),
      ...(token === undefined ? {} : { token }),
      ...(name === undefined ? {} : { info: { name } }),
      ...(maxPeers === undefined ? {} : { maxPeers: Number(maxPeers) }),
    },
    onceWithinMs: flags.once === true ? parseDuration(flags.timeout, '--timeout') : undefined,
    serve: await readServeOptions(flags),
    backup: backup === undefined ? undefined : readBackupOptions(backup, flags),
  };
}

async function readServeOptions(flags: PeerFlags): Promise<ServeWebSocketOptions | undefined> {
  const { serveWebsocket, websocketHost: host, websocketTlsCert, websocketTlsKey } = flags;
  if (serveWebsocket === undefined) {
    if ((host ?? websocketTlsCert ?? websocketTlsKey) === undefined) return undefined;
    throw new CliError('usage', '--websocket-… needs --serve-websocket');
  }
  const port = /^\d{1,5}$/.test(serveWebsocket) ? Number(serveWebsocket) : Number.NaN;
  if (!(port <= 65_535)) {
    throw new CliError('usage', `--serve-websocket: '${serveWebsocket}' is no port, 0 to 65535`);
  }
  if ((websocketTlsCert === undefined) !== (websocketTlsKey === undefined)) {
    throw new CliError('usage', '--websocket-tls-cert and --websocket-tls-key go together');
  }
  const tls =
    websocketTlsCert === undefined || websocketTlsKey === undefined
      ? {}
      : { tls: { cert: await readPem(websocketTlsCert), key: await readPem(websocketTlsKey) } };
  // What a client of one that only reads would write would reach nobody.
  const access = flags.readOnly === true ? 'read' : 'write';
  return { port, ...(host === undefined ? {} : { host }), ...tls, authorize: () => access };
}

function readBackupOptions(file: string, flags: PeerFlags): BackupOptions {
  const everyMs = parseDuration(flags.backupEvery, '--backup-every');
  return { file, everyMs, snapshot: flags.backupSnapshot ?? false };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CliError('bad-input', `cannot read ${path}: ${reason(cause)}`, { cause });
  }
}

// --- the stay ---

class PeerRun {
  readonly #ledger: Ledger;
  readonly #settings: PeerSettings;
  readonly #output: Output;
  readonly #log: EventLog;
  readonly #received: Received;
  readonly #startedMs = performance.now();
  #backup: Backup | undefined;

  constructor(ledger: Ledger, settings: PeerSettings, output: Output) {
    this.#ledger = ledger;
    this.#settings = settings;
    this.#output = output;
    this.#log = new EventLog(output);
    this.#received = new Received(ledger, (event) => this.#log.say(event));
  }

  /** Until the signal, or the end of `--once`. */
  async run(folder: string, signal: AbortSignal): Promise<void> {
    const { room, serve, backup } = this.#settings;
    const server = serve === undefined ? undefined : await this.#serve(serve);
    try {
      const joined = joinRoom(this.#ledger, room);
      const documents = this.#ledger.count();
      this.#log.say({ event: 'started', room: room.room, folder, documents });
      if (server !== undefined) this.#log.say({ event: 'serving', url: server.url });
      if (backup !== undefined) this.#backup = this.#backUp(backup);
      await this.#stay(joined, signal);
    } finally {
      await server?.close();
    }
  }

  /**
   * The last backup and the summary.
   * @throws CliError `bad-input` when the backup cannot be written
   */
  async end(): Promise<void> {
    await this.#backup?.close();
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const { documents, total } = this.#received;
    this.#log.say({ event: 'left', documents, received: total, seconds });
    await this.#log.flush();
  }

  async #stay(room: Room, signal: AbortSignal): Promise<void> {
    const watch = new RoomWatch(room, (event) => this.#log.say(event));
    try {
      const { onceWithinMs } = this.#settings;
      const work =
        onceWithinMs === undefined ? aborted(signal) : syncOnce(room, onceWithinMs, signal);
      await Promise.race([work, failureOf(room), this.#log.failed]);
    } finally {
      if (signal.aborted) this.#output.note('leaving; Ctrl-C again does so at once');
      await room.leave();
      watch.close();
      this.#received.close();
      await this.#log.flush();
    }
  }

  async #serve(options: ServeWebSocketOptions): Promise<SyncServer> {
    // Other commands start faster without it.
    const { serveWebSocket } = await import('../../server.ts');
    const { room, secret } = this.#settings.room;
    const named = { room, ...(secret === undefined ? {} : { secret }) };
    const server = await serveWebSocket(this.#ledger, { ...options, ...named });
    const told = new Map<number, SyncClient['status']['state']>();
    server.subscribe(({ id, address, access, status }) => {
      const { state } = status;
      if (told.get(id) === state) return;
      if (state === 'closed') told.delete(id);
      else told.set(id, state);
      const error = state === 'closed' && status.error ? describeError(status.error) : undefined;
      this.#log.say({ event: 'client', state, address, access, error });
    });
    return server;
  }

  #backUp(options: BackupOptions): Backup {
    const { file } = options;
    return new Backup(this.#ledger, options, {
      saved: (bytes) => this.#log.say({ event: 'backup', file, bytes }),
      failed: (error) => this.#log.say({ event: 'error', error: describeError(error) }),
    });
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** Rejects when the stay ends by itself: the ledger has failed. */
function failureOf(room: Room): Promise<never> {
  return new Promise((_resolve, reject) => {
    room.subscribe(({ status: { state, error } }) => {
      if (state === 'left' && error !== undefined) reject((error.cause as Error) ?? error);
    });
  });
}

/**
 * Resolves when those who are there, if any, have what this ledger has, and it has what they have.
 * @throws RoomError `wrong-secret`, `unauthorized`, `no-signaling`; ConnectionError `connect-failed`
 */
async function syncOnce(room: Room, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(timeoutMs);
  await answered(room, AbortSignal.any([signal, timeout]));
  signal.throwIfAborted();
  for (;;) {
    await room.synced({ signal });
    const states = room.peers.map(({ state }) => state);
    if (states.length === 0 || states.includes('live')) return;
    if (timeout.aborted || !states.includes('connecting')) {
      throw new ConnectionError('connect-failed', `no link with any of ${states.length} members`);
    }
    await setTimeout(ONCE_LOOK_MS, undefined, { signal });
  }
}

/** Waits until a server has answered. @throws RoomError `no-signaling`, `unauthorized` */
function answered(room: Room, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const { signaling, error } = room.status;
      if (signaling.some(({ status }) => status.state === 'joined')) settle(resolve);
      else if (error?.code === 'unauthorized') settle(() => reject(error));
      else if (signal.aborted) settle(() => reject(noSignaling(room)));
    };
    const settle = (then: () => void): void => {
      unsubscribe();
      signal.removeEventListener('abort', look);
      then();
    };
    const unsubscribe = room.subscribe(look);
    signal.addEventListener('abort', look);
    look();
  });
}

function noSignaling(room: Room): RoomError {
  const names = room.status.signaling.map(({ name }) => name).join(', ');
  return new RoomError('no-signaling', `no answer in time from ${names}`);
}
