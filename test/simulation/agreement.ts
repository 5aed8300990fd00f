import { CID } from 'multiformats/cid';
import { expect } from 'vitest';
import type { Block } from '../../src/blocks.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { Log } from '../../src/storage/log.ts';
import { MemoryPlace } from '../../src/storage/memory.ts';
import { expectedOf } from '../support/oracle.ts';
import type { World } from './actions.ts';
import type { CommitRecord } from './commit-record.ts';
import type { SimulatedPeer } from './peer.ts';
import { numbersIn } from './writes.ts';

/**
 * The one thing that must be true of a network that is whole and quiet: all peers hold the same
 * commits, those are all that there ever were, and they mean what a naive reading of them tells.
 */
export async function checkAgreement(world: World, record: CommitRecord): Promise<void> {
  const [first] = world.peers;
  const held = first!.applied;
  for (const peer of world.peers) await checkSame(peer, first!);
  for (const { peers, connections } of world.network.edges) {
    const states = connections
      .filter(({ sides }) => sides.every(({ run }) => !run.over))
      .map(({ sides }) => sides.map(({ session }) => session.state.kind).join());
    expect(new Set(states), peers.map(({ name }) => name).join()).toEqual(new Set(['live,live']));
  }

  // Written while its ledger was being closed and dropped before anybody could read it: what the
  // commits mean is then not known.
  if (record.keys.some((key) => record.bytes(key) === undefined && !record.isForgiven(key))) return;
  const lost = record.keys.filter((key) => !held.has(key) && !record.isForgiven(key));
  expect(lost, 'commits that some peer had and that nobody has now').toEqual([]);
  const blocks = [...held].map((key): Block => ({
    cid: CID.parse(key),
    bytes: record.bytes(key)!,
  }));
  await checkMeaning(first!.ledger!, blocks);
  checkAcknowledged(world, record, blocks);
  for (const peer of world.peers) await checkReopened(peer);
}

async function checkSame(peer: SimulatedPeer, first: SimulatedPeer): Promise<void> {
  const { name } = peer;
  const [ledger, other] = [peer.ledger!, first.ledger!];
  expect(ledger.clock.map(String), name).toEqual(other.clock.map(String));
  expect(await ledger.digest(), name).toBe(await other.digest());
  expect(ledger.replica.history.commitCount, name).toBe(other.replica.history.commitCount);
  expect([...peer.applied].sort(), name).toEqual([...first.applied].sort());
  const { missing, rejected, unreadable, damage } = ledger.recovery;
  expect([missing, rejected, unreadable], name).toEqual([[], [], []]);
  expect(
    damage.filter(({ kind }) => kind !== 'torn-tail'),
    name,
  ).toEqual([]);
  expect(await parkedOf(peer), `parked at ${name}`).toEqual([]);
}

async function checkMeaning(ledger: Ledger, blocks: readonly Block[]): Promise<void> {
  const expected = expectedOf(blocks);
  expect(ledger.clock.map(String)).toEqual(expected.clock);
  const { rows } = await ledger.allDocs();
  expect(new Map(rows.map(({ id, doc }) => [id, doc as object]))).toEqual(expected.documents);
  for (const [id, conflicts] of expected.conflicts) {
    const found = await ledger.conflicts(id);
    expect(JSON.stringify(found), id).toBe(JSON.stringify(conflicts));
  }
}

/**
 * An acknowledged write is in a commit that all have: so it is shown, or in conflict, or superseded by
 * one that had seen it.
 */
function checkAcknowledged(world: World, record: CommitRecord, blocks: readonly Block[]): void {
  const forgiven = record.keys.filter((key) => record.isForgiven(key));
  // Lost while its ledger was being closed, so that nobody ever read it.
  if (forgiven.some((key) => record.bytes(key) === undefined)) return;
  const kept = numbersIn([
    ...blocks.map(({ bytes }) => bytes),
    ...forgiven.map((key) => record.bytes(key)!),
  ]);
  const lost = world.writes.acknowledged.filter(
    (write) => write.kind === 'put' && !world.writes.isKept(write, kept),
  );
  expect(lost, 'acknowledged writes that nobody has').toEqual([]);
}

/** What waits in the log of parked commits and is not applied. */
async function parkedOf(peer: SimulatedPeer): Promise<string[]> {
  const place = new MemoryPlace(peer.disk.files);
  const log = await Log.open(place, { durability: 'relaxed', prefix: 'parked' });
  const waiting: string[] = [];
  for await (const entries of log.recover()) {
    for (const { cid } of entries) {
      if (!peer.applied.has(cid.toString())) waiting.push(cid.toString());
    }
  }
  return waiting;
}

/**
 * The disk tells the same again. Where it failed, a write that was refused may have been left on it
 * whole, and nothing after it: that one may come to light now.
 */
async function checkReopened(peer: SimulatedPeer): Promise<void> {
  const digest = await peer.ledger!.digest();
  const before = peer.applied;
  const { hasFailed } = peer.run!.place;
  peer.kill();
  await peer.open();
  const lost = [...before].filter((key) => !peer.applied.has(key));
  expect(lost, `${peer.name} reopened`).toEqual([]);
  if (!hasFailed || peer.applied.size === before.size) {
    expect(peer.applied.size, `${peer.name} reopened`).toBe(before.size);
    expect(await peer.ledger!.digest(), `${peer.name} reopened`).toBe(digest);
  }
  peer.kill();
}
