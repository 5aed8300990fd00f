import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether coturn is installed here. */
export function hasTurnServer(): boolean {
  return spawnSync('turnserver', ['--version']).error === undefined;
}

const MAX_ATTEMPTS = 4;
const START_TIMEOUT_MS = 8000;

/** A real TURN server on the loopback interface, which takes time-limited credentials. */
export class TurnServer {
  readonly port: number;
  /** Shared with whoever makes credentials. */
  readonly secret: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  /** Its port may be taken by somebody else in the moment in which it starts: then it gets another one. */
  static async start(): Promise<TurnServer> {
    for (let attempt = 1; ; attempt++) {
      const server = await TurnServer.#spawn();
      try {
        await server.#answers();
        return server;
      } catch (error) {
        await server.stop();
        if (attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  static async #spawn(): Promise<TurnServer> {
    const folder = await mkdtemp(join(tmpdir(), 'emberlink-turn-'));
    const secret = randomBytes(16).toString('hex');
    const port = await freePort();
    const child = spawn(
      'turnserver',
      [
        '-n',
        '--no-cli',
        '--no-tls',
        '--no-dtls',
        '--listening-ip=127.0.0.1',
        '--relay-ip=127.0.0.1',
        `--listening-port=${port}`,
        '--min-port=49160',
        '--max-port=49400',
        '--use-auth-secret',
        `--static-auth-secret=${secret}`,
        '--realm=test.local',
        '--allow-loopback-peers',
        '--no-stdout-log',
        `--log-file=${join(folder, 'log')}`,
        '--simple-log',
        `--pidfile=${join(folder, 'pid')}`,
        `--userdb=${join(folder, 'db')}`,
      ],
      { stdio: 'ignore' },
    );
    return new TurnServer(port, secret, child, folder);
  }

  private constructor(port: number, secret: string, child: ChildProcess, folder: string) {
    this.port = port;
    this.secret = secret;
    this.#child = child;
    this.#folder = folder;
  }

  /** @param expiresInSeconds may lie in the past */
  iceServer(expiresInSeconds = 600): RTCIceServer {
    const username = `${Math.floor(Date.now() / 1000) + expiresInSeconds}:alice`;
    const credential = createHmac('sha1', this.secret).update(username).digest('base64');
    return { urls: `turn:127.0.0.1:${this.port}?transport=udp`, username, credential };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Resolves when it has answered a STUN request. */
  async #answers(): Promise<void> {
    const socket = dgram.createSocket('udp4');
    const request = Buffer.concat([Buffer.from('000100002112a442', 'hex'), randomBytes(12)]);
    const ask = setInterval(() => socket.send(request, this.port, '127.0.0.1'), 50);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await Promise.race([
        once(socket, 'message'),
        new Promise((_resolve, reject) => {
          timer = setTimeout(
            () => reject(new Error('turnserver does not answer')),
            START_TIMEOUT_MS,
          );
        }),
        once(this.#child, 'exit').then(([code]) => {
          throw new Error(`turnserver ended at its start: ${String(code)}`);
        }),
      ]);
    } finally {
      clearTimeout(timer);
      clearInterval(ask);
      socket.close();
    }
  }
}

async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}
