import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PeerMethods } from '../children/peer.ts';
import type { SignalingServerMethods } from '../children/signaling-server.ts';
import { buildChild } from '../support/built.ts';
import { CallableProcess } from '../support/callable-process.ts';
import { Namespaces, ROUTER_ADDRESS, type Side } from '../support/namespaces.ts';

const missing = Namespaces.missing;
if (missing !== undefined) console.warn(`skipped: no network namespaces here: ${missing}`);

const SIDES: readonly Side[] = ['alice', 'bob', 'carol'];
const PORT = 8765;
const CUT_MS = 8000;

/** A room of three processes, each in a network of its own; the server is where their wires meet. */
class Gathering {
  readonly network = new Namespaces(SIDES);
  readonly #server: CallableProcess<SignalingServerMethods>;
  readonly #members: readonly CallableProcess<PeerMethods>[];
  #marks = 0;
  #folder = '';

  constructor(server: string, peer: string) {
    this.#server = new CallableProcess(this.network.start('router', server));
    this.#members = SIDES.map((side) => new CallableProcess(this.network.start(side, peer)));
  }

  async begin(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'emberlink-namespaces-'));
    await this.#server.call('listen', { port: PORT, host: '0.0.0.0', logLevel: 'error' });
    const options = { room: 'garden', signaling: `ws://${ROUTER_ADDRESS}:${PORT}` };
    for (const [i, member] of this.#members.entries()) {
      await member.call('open', SIDES[i]!, this.#folder);
      await member.call('enter', options);
      await member.call('startWriting', SIDES[i]!);
    }
    await this.expectTogether();
  }

  /** All are linked with each other and with the server. */
  async expectTogether(): Promise<void> {
    await expect
      .poll(
        async () => {
          const reports = await Promise.all(this.#members.map((member) => member.call('room')));
          return reports.map(({ servers, peers }) => [
            ...servers,
            ...peers.map(({ state }) => state),
          ]);
        },
        { timeout: 60_000, interval: 200 },
      )
      .toEqual(SIDES.map(() => ['joined', 'live', 'live']));
  }

  /** A write of alice's; tells who has it after so long. */
  async spread(id: string, waitMs: number): Promise<Side[]> {
    this.#marks += 1;
    await this.#members[0]!.call('put', { _id: id });
    await pause(waitMs);
    const found = await Promise.all(this.#members.map((member) => member.call('get', id)));
    return SIDES.filter((_, i) => found[i] !== undefined);
  }

  /** Everybody gets what anybody has written. */
  async expectNothingLost(): Promise<void> {
    const written = await Promise.all(this.#members.map((member) => member.call('stopWriting')));
    await expect
      .poll(
        async () => {
          const states = await Promise.all(this.#members.map((member) => member.call('state')));
          return states.map(({ documents }) => documents);
        },
        { timeout: 60_000, interval: 200 },
      )
      .toEqual(SIDES.map(() => written.flat().length + this.#marks));
  }

  async end(): Promise<void> {
    this.network.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

describe.skipIf(missing !== undefined)('a room of three networks', () => {
  let programs: string[];
  beforeAll(async () => {
    programs = await Promise.all([buildChild('signaling-server.ts'), buildChild('peer.ts')]);
  });

  async function gather(test: (gathering: Gathering) => Promise<void>): Promise<void> {
    const gathering = new Gathering(programs[0]!, programs[1]!);
    try {
      await test(gathering);
      await gathering.expectTogether();
      await gathering.expectNothingLost();
    } finally {
      await gathering.end();
    }
  }

  it(
    'comes together and stays so at a loss of 5 %',
    () =>
      gather(async (gathering) => {
        gathering.network.lose(5);
        await gathering.begin();
        await pause(3000);
      }),
    180_000,
  );

  it(
    `outlives that one of them is cut off for ${CUT_MS / 1000} s`,
    () =>
      gather(async (gathering) => {
        await gathering.begin();
        gathering.network.cut('alice');
        expect(await gathering.spread('meanwhile', CUT_MS)).toEqual(['alice']);
        gathering.network.heal();
      }),
    180_000,
  );

  it(
    'goes on when the address of one of them has changed',
    () =>
      gather(async (gathering) => {
        await gathering.begin();
        gathering.network.move('alice');
        await pause(1000);
      }),
    180_000,
  );
});
