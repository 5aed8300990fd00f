/** Sync and connectWebSocket where a file of the app cannot be had: see test/children/missing-part.ts. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { serveWebSocket } from '../../src/server.ts';
import { memoryLedger } from '../ledger/support.ts';
import { buildSplitChild } from '../support/built.ts';

let program: string;

beforeAll(async () => {
  program = await buildSplitChild('missing-part.ts');
});

afterAll(() => rm(dirname(program), { recursive: true }));

async function tellsOf(what: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, what]);
  return JSON.parse(stdout);
}

const NOT_LOADED = {
  name: 'ConnectionError',
  code: 'not-loaded',
  message: expect.stringMatching(/could not be loaded: be online and try again/),
  cause: expect.stringMatching(/Cannot find module/),
};
const SONG = { _id: 'song', title: 'Wildfire' };

describe('a part of the library that cannot be loaded', () => {
  it('is refused as not-loaded by a Sync, which connects when it is there', async () => {
    expect(await tellsOf('Sync')).toEqual({
      refusals: {
        destroyed: expect.objectContaining({ name: 'ConnectionError', code: 'closed' }),
        offer: NOT_LOADED,
        secondOffer: NOT_LOADED,
        accept: NOT_LOADED,
        connect: expect.objectContaining({ name: 'SignalError', code: 'wrong-state' }),
      },
      states: { given: 'closed', atBob: 'new' },
      course: [
        'offering',
        'new',
        'offering',
        'new',
        'offering',
        'connecting',
        'live',
        'closed',
      ].map((state) => ({ state })),
      song: SONG,
    });
  });

  it('is waited for by connectWebSocket, unless it is told not to come back', async () => {
    const alice = await memoryLedger('alice');
    await alice.put(SONG);
    const server = await serveWebSocket(alice);
    onTestFinished(() => server.close());
    expect(await tellsOf(server.url)).toEqual({
      ended: NOT_LOADED,
      course: [
        { state: 'connecting' },
        { state: 'waiting', error: NOT_LOADED },
        { state: 'connecting' },
        { state: 'live' },
        { state: 'closed' },
      ],
      song: SONG,
    });
  });
});
