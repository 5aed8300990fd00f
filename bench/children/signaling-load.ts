import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { startChild, tellOutcome } from '../child.ts';
import { quantile } from '../quantile.ts';
import type { LoadTask, RelayTask, Usage } from '../signaling/kinds.ts';
import { pinTo } from '../signaling/pin.ts';
import { RawClient } from '../signaling/raw-client.ts';
import type { Metrics } from '../workloads/workload.ts';

const SENT_BYTES = 300;
/** Rooms are opened so many at a time. */
const AT_A_TIME = 100;
const TALKING_ROOMS = 5000;
const WARM_UP_MS = 2000;
const SATURATED_MS = 6000;
const PACED_MS = 5000;

/** Two members of one room. */
interface Pair {
  readonly room: string;
  readonly left: RawClient;
  readonly right: RawClient;
}

async function main({ kind, connections }: LoadTask): Promise<Metrics> {
  pinTo(1);
  const isOurs = kind === 'emberlink' || kind === 'shared';
  const broker = kind === 'shared' ? await startNats() : undefined;
  const task: RelayTask = { kind, brokerUrl: broker?.url };
  const relays = [new Relay(task)];
  if (kind === 'shared') relays.push(new Relay(task));
  const urls = await Promise.all(relays.map((relay) => relay.url));
  // Two servers find each other.
  if (kind === 'shared') await setTimeout(1000);
  try {
    const before = await usageOf(relays, true);
    const rooms = connections / 2;
    const started = performance.now();
    const pairs: Pair[] = [];
    const open = async (): Promise<void> => {
      for (let i = 0; (i = opened++) < rooms;) {
        pairs.push(await openPair(`room-${i}`.padEnd(43, '-'), urls, isOurs));
      }
    };
    let opened = 0;
    await Promise.all(Array.from({ length: AT_A_TIME }, open));
    const openMs = performance.now() - started;
    await setTimeout(1000);
    const holding = await usageOf(relays, true);

    const talking = pairs.slice(0, TALKING_ROOMS);
    const talk = new Talk(talking, isOurs);
    const cpuMs = async (): Promise<number> => (await usageOf(relays, false)).cpuMs;
    await talk.saturate(WARM_UP_MS, cpuMs);
    const { perSecond, cpuShare } = await talk.saturate(SATURATED_MS, cpuMs);
    const slow = await talk.pace(2000, PACED_MS);
    const fast = await talk.pace(10_000, PACED_MS);
    return {
      opensPerSecond: (connections / openMs) * 1000,
      rssPerConnection: (holding.rss - before.rss) / connections,
      heldPerConnection: (holding.held - before.held) / connections,
      perSecond,
      perCpuSecond: perSecond / cpuShare,
      p50At2000: quantile(slow, 0.5),
      p99At2000: quantile(slow, 0.99),
      p50At10000: quantile(fast, 0.5),
      p99At10000: quantile(fast, 0.99),
    };
  } finally {
    for (const relay of relays) relay.kill();
    broker?.child.kill();
  }
}

class Relay {
  readonly url: Promise<string>;
  readonly #child: ChildProcess;

  constructor(task: RelayTask) {
    this.#child = startChild('signaling-relay', task);
    this.url = once(this.#child, 'message').then(([url]) => url as string);
  }

  /** @param isExact without garbage, which is slow */
  async usage(isExact: boolean): Promise<Usage> {
    this.#child.send(isExact);
    const [usage] = (await once(this.#child, 'message')) as [Usage];
    return usage;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Of all servers together. */
async function usageOf(relays: readonly Relay[], isExact: boolean): Promise<Usage> {
  const usages = await Promise.all(relays.map((relay) => relay.usage(isExact)));
  const sum = (of: (usage: Usage) => number): number =>
    usages.reduce((total, usage) => total + of(usage), 0);
  return {
    rss: sum(({ rss }) => rss),
    held: sum(({ held }) => held),
    cpuMs: sum(({ cpuMs }) => cpuMs),
  };
}

/** The second member is on the last server. */
async function openPair(room: string, urls: readonly string[], isOurs: boolean): Promise<Pair> {
  const left = await RawClient.open(urls[0]!);
  const right = await RawClient.open(urls.at(-1)!);
  for (const client of [left, right]) {
    if (isOurs) await hear(client, 'welcome');
    client.say(isOurs ? JSON.stringify({ type: 'join', room, proof: client.proof }) : room);
    await hear(client, 'joined');
  }
  if (isOurs) await hear(left, 'entered');
  if (isOurs && urls.length > 1) await hear(right, 'entered');
  return { room, left, right };
}

async function hear(client: RawClient, what: string): Promise<void> {
  const text = await client.next();
  if (!text.includes(what)) throw new Error(`${text} instead of ${what}`);
}

/** Rooms in which two members send each other messages. */
class Talk {
  readonly #pairs: readonly Pair[];
  #onHeard: (pair: number, by: RawClient) => void = () => {};

  constructor(pairs: readonly Pair[], isOurs: boolean) {
    this.#pairs = pairs;
    for (const [i, { room, left, right }] of pairs.entries()) {
      for (const [from, to] of [
        [left, right],
        [right, left],
      ] as const) {
        const message = { type: 'send', room, to: to.member, data: '' };
        const data = 'd'.repeat(SENT_BYTES - JSON.stringify(message).length);
        const heard = isOurs ? { type: 'message', room, from: to.member, data } : undefined;
        const heardBytes = heard === undefined ? SENT_BYTES : JSON.stringify(heard).length;
        from.speak(JSON.stringify({ ...message, data }), heardBytes, () => this.#onHeard(i, from));
      }
    }
  }

  /**
   * Messages a second when each is answered at once, and how many cores the servers are given for it:
   * less than one each where the machine has other work.
   */
  async saturate(
    ms: number,
    cpuMs: () => Promise<number>,
  ): Promise<{ perSecond: number; cpuShare: number }> {
    let [count, underWay, isOver] = [0, this.#pairs.length, false];
    const over = new Promise<void>((resolve) => {
      this.#onHeard = (_pair, by) => {
        count++;
        if (!isOver) by.kick();
        else if (--underWay === 0) resolve();
      };
    });
    for (const { left } of this.#pairs) left.kick();
    const [cpuBefore, startedMs, countBefore] = [await cpuMs(), performance.now(), count];
    await setTimeout(ms);
    const [cpuAfter, endedMs, countAfter] = [await cpuMs(), performance.now(), count];
    isOver = true;
    await over;
    const tookMs = endedMs - startedMs;
    return {
      perSecond: ((countAfter - countBefore) / tookMs) * 1000,
      cpuShare: (cpuAfter - cpuBefore) / tookMs,
    };
  }

  /** How long each message is under way, in ms, when so many are sent in a second. */
  async pace(perSecond: number, ms: number): Promise<number[]> {
    const times: number[] = [];
    const sentMs = this.#pairs.map((): number[] => []);
    this.#onHeard = (pair) => times.push(performance.now() - sentMs[pair]!.shift()!);
    const started = performance.now();
    let sent = 0;
    for (let now = started; now < started + ms; now = performance.now()) {
      for (const due = ((now - started) / 1000) * perSecond; sent < due; sent++) {
        const pair = sent % this.#pairs.length;
        sentMs[pair]!.push(performance.now());
        this.#pairs[pair]!.left.kick();
      }
      await setTimeout(1);
    }
    while (times.length < sent) await setTimeout(10);
    return times;
  }
}

async function startNats(): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn('nats-server', ['--addr', '127.0.0.1', '--port', '-1'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await once(child, 'spawn').catch(() => {
    throw new Error('nats-server is not installed');
  });
  let url = '';
  for await (const line of createInterface(child.stderr)) {
    url ||= /client connections on (127\.0\.0\.1:\d+)/.exec(line)?.[1] ?? '';
    if (line.includes('Server is ready')) break;
  }
  child.stderr.resume();
  return { child, url: `nats://${url}` };
}

await tellOutcome(main);
