import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';

export type Side = 'alice' | 'bob' | 'carol';

/** Of our namespaces: `ember-<process>-<place>`. */
const PREFIX = 'ember-';

let made = 0;

/** What the router is called by all sides, wherever they are. */
export const ROUTER_ADDRESS = '10.77.0.1';

/**
 * Network namespaces, which only root may make: the sides, each with one wire to a router that
 * forwards between them and that can lose packets, or all of them.
 */
export class Namespaces<S extends Side = Side> {
  readonly #id = `${PREFIX}${process.pid}-${made++}`;
  readonly #sides: readonly S[];
  readonly #wires = new Map<S, number>();
  readonly #children = new Set<ChildProcess>();
  #nextWire = 1;

  /** Why there can be none here, or undefined. */
  static get missing(): string | undefined {
    try {
      const namespaces = new Namespaces(['alice']);
      namespaces.close();
      return undefined;
    } catch (error) {
      return String(error).split('\n', 1)[0]!;
    }
  }

  constructor(sides: readonly S[]) {
    this.#sides = sides;
    removeLeftovers();
    try {
      for (const place of this.#places) {
        run('ip', 'netns', 'add', this.#name(place));
        this.run(place, 'ip', 'link', 'set', 'lo', 'up');
      }
      this.run('router', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
      const chain = 'type filter hook prerouting priority -300';
      this.run('router', 'nft', 'add table ip faults');
      this.run('router', 'nft', `add chain ip faults packets { ${chain} ; }`);
      this.run('router', 'ip', 'address', 'add', `${ROUTER_ADDRESS}/32`, 'dev', 'lo');
      for (const side of sides) this.move(side);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The router's address on the wire to this side. */
  routerAddress(side: S): string {
    return `10.77.${this.#wires.get(side)}.1`;
  }

  /** Runs a command to its end. */
  run(place: S | 'router', command: string, ...args: string[]): void {
    run('ip', 'netns', 'exec', this.#name(place), command, ...args);
  }

  /** Starts a program of Node that talks over IPC; it is killed when the namespaces close. */
  start(place: S | 'router', program: string): ChildProcess {
    const command = ['netns', 'exec', this.#name(place), process.execPath, program];
    const child = spawn('ip', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  /** Of a hundred packets that come to the router so many are lost, chosen at random. */
  lose(percent: number): void {
    this.heal();
    this.run('router', 'nft', `add rule ip faults packets numgen random mod 100 < ${percent} drop`);
  }

  /** Nothing comes from this side any more, nor can an answer: TCP neither. */
  cut(side: S): void {
    for (const direction of ['saddr', 'daddr']) {
      const net = `10.77.${this.#wires.get(side)}.0/24`;
      this.run('router', 'nft', `add rule ip faults packets ip ${direction} ${net} drop`);
    }
  }

  /** No faults. */
  heal(): void {
    this.run('router', 'nft', 'flush chain ip faults packets');
  }

  /** Gives this side another wire, with another address; the one it had is gone. */
  move(side: S): void {
    const before = this.#wires.get(side);
    const wire = this.#nextWire++;
    this.#wires.set(side, wire);
    if (before !== undefined) this.run(side, 'ip', 'link', 'del', `wire${before}`);
    const end = ['type', 'veth', 'peer', 'name', `wire${wire}`, 'netns', this.#name(side)];
    this.run('router', 'ip', 'link', 'add', `wire${wire}`, ...end);
    for (const [place, host] of [
      ['router', 1],
      [side, 2],
    ] as const) {
      const address = `10.77.${wire}.${host}/24`;
      this.run(place, 'ip', 'address', 'add', address, 'dev', `wire${wire}`);
      this.run(place, 'ip', 'link', 'set', `wire${wire}`, 'up');
    }
    this.run(side, 'ip', 'route', 'replace', 'default', 'via', this.routerAddress(side));
  }

  /** Ends what still runs in them, and removes them. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const place of this.#places) remove(this.#name(place));
  }

  get #places(): readonly (S | 'router')[] {
    return ['router', ...this.#sides];
  }

  #name(place: S | 'router'): string {
    return `${this.#id}-${place}`;
  }
}

/** @throws Error with what the command said */
function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function remove(name: string): void {
  if (existsSync(`/run/netns/${name}`)) run('ip', 'netns', 'del', name);
}

/** Those of test processes that were killed. */
function removeLeftovers(): void {
  for (const line of run('ip', 'netns', 'list').split('\n')) {
    const [name, pid] = /^ember-(\d+)-\S+/.exec(line) ?? [];
    if (name !== undefined && !existsSync(`/proc/${pid}`)) remove(name);
  }
}
