import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type AddressInfo, createServer } from 'node:net';

const isInstalled = spawnSync('nats-server', ['--version']).status === 0;

/** Why tests with a real broker cannot run here; false where they can. */
export const natsIsMissing: false | string = isInstalled
  ? false
  : 'nats-server is not installed (Debian: apt-get install nats-server)';

/** A broker in a process of its own, on a port that it keeps when it is started again. */
export class NatsServer {
  readonly port: number;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, flags: readonly string[]) {
    this.port = port;
    this.#flags = flags;
  }

  static async start(...flags: string[]): Promise<NatsServer> {
    const nats = await NatsServer.away(...flags);
    await nats.start();
    return nats;
  }

  /** One that is not started yet. */
  static async away(...flags: string[]): Promise<NatsServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return new NatsServer(port, flags);
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const flags = ['--addr', '127.0.0.1', '--port', String(this.port), ...this.#flags];
    const child = spawn('nats-server', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    const told: string[] = [];
    for await (const line of createInterface(child.stderr)) {
      told.push(line);
      if (!line.includes('Server is ready')) continue;
      child.stderr.resume();
      return;
    }
    throw new Error(`nats-server did not start: ${told.join('\n')}`);
  }

  /** By SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}
