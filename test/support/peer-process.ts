import { fork } from 'node:child_process';
import type { PeerMethods } from '../children/peer.ts';
import { buildChild } from './built.ts';
import { CallableProcess } from './callable-process.ts';

let built: Promise<string> | undefined;

/** A process that runs test/children/peer.ts: `end` ends its Sync, its room and its ledger. */
export class PeerProcess extends CallableProcess<PeerMethods> {
  static async start(): Promise<PeerProcess> {
    built ??= buildChild('peer.ts');
    return new PeerProcess(fork(await built, { execArgv: ['--expose-gc'] }));
  }
}

/** Connects two peers by offer, accept and connect. */
export async function connect(alice: PeerProcess, bob: PeerProcess): Promise<void> {
  const answer = await bob.call('accept', await alice.call('offer'));
  await Promise.all([alice.call('connect', answer), bob.call('connected')]);
}
