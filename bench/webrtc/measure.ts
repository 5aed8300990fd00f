import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type Outcome, startChild } from '../child.ts';
import type { FromSide, ToSide } from '../children/webrtc.ts';
import { SIDES, type Signaling } from './index.ts';

const SIDE_NAMES = ['alice', 'bob'] as const;

/** One sync of n documents between two fresh processes; both are killed when it takes too long. */
export async function measureWebrtc(
  row: string,
  n: number,
  limitSeconds: number,
): Promise<Outcome> {
  const folder = await mkdtemp(`${tmpdir()}/emberlink-bench-`);
  const children: ChildProcess[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<Outcome>((resolve) => {
    const error = `never (limit ${limitSeconds} s)`;
    timer = setTimeout(() => resolve({ error }), limitSeconds * 1000);
  });
  try {
    const signaling = await startSignaling(SIDES[row]!.signaling);
    children.push(signaling.child);
    for (const role of SIDE_NAMES) {
      await mkdir(`${folder}/${role}`);
      const task = { row, role, n, folder: `${folder}/${role}`, signalingUrl: signaling.url };
      children.push(startChild('webrtc', task));
    }
    const [, alice, bob] = children;
    return await Promise.race([conversation(alice!, bob!), never]);
  } finally {
    clearTimeout(timer);
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

export function startSignaling(kind: Signaling): Promise<{ child: ChildProcess; url: string }> {
  const child = startChild('signaling', { kind });
  return new Promise((resolve) => {
    child.once('message', (message) => resolve({ child, ...(message as { url: string }) }));
  });
}

/** Hands on what the two say to each other, until Bob has everything and both told their memory. */
function conversation(alice: ChildProcess, bob: ChildProcess): Promise<Outcome> {
  return new Promise((resolve) => {
    const say = (child: ChildProcess, message: ToSide): void => void child.send(message);
    const peaks = new Map<ChildProcess, number>();
    let ready = 0;
    let connectMs = NaN;
    let ms = NaN;
    const onMessage = (from: ChildProcess, to: ChildProcess, message: FromSide): void => {
      switch (message.kind) {
        case 'ready':
          ready++;
          if (ready === 2) for (const child of [alice, bob]) say(child, { kind: 'go' });
          return;
        case 'text':
          return say(to, message);
        case 'connected':
          if (from === bob) connectMs = message.ms;
          return;
        case 'complete':
          ({ ms } = message);
          for (const child of [alice, bob]) say(child, { kind: 'measure' });
          return;
        case 'memory':
          peaks.set(from, message.peakRss);
          if (peaks.size < 2) return;
          return resolve({
            metrics: {
              ms,
              connectMs,
              peakRssOfAlice: peaks.get(alice)!,
              peakRssOfBob: peaks.get(bob)!,
            },
          });
        case 'failed':
          return resolve({ error: message.reason });
      }
    };
    alice.on('message', (message) => onMessage(alice, bob, message as FromSide));
    bob.on('message', (message) => onMessage(bob, alice, message as FromSide));
    for (const child of [alice, bob]) {
      child.on('exit', (_, signal) => resolve({ error: `a process ended (${signal ?? 'early'})` }));
    }
  });
}
