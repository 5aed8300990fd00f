import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkSignal } from '../../src/rooms/link.ts';
import type { DelayRelayMethods } from '../children/delay-relay.ts';
import type { LinkMethods } from '../children/link.ts';
import { buildChild } from '../support/built.ts';
import { CallableProcess } from '../support/callable-process.ts';
import { Namespaces } from '../support/namespaces.ts';

const missing = Namespaces.missing;
if (missing !== undefined) console.warn(`skipped: no network namespaces here: ${missing}`);

type Side = 'alice' | 'bob';
type Sides = Record<Side, CallableProcess<LinkMethods>>;

/** Two linked processes, each in a network of its own; this process passes on their signals. */
class Encounter {
  readonly network = new Namespaces<Side>(['alice', 'bob']);
  readonly sides: Sides;
  readonly #relay: CallableProcess<DelayRelayMethods>;
  offers = 0;
  losesSignals = false;
  #oneWayMs = 0;
  #isClosed = false;
  #fault: unknown;

  constructor(link: string, relay: string) {
    const start = (side: Side): CallableProcess<LinkMethods> =>
      new CallableProcess(this.network.start(side, link));
    this.sides = { alice: start('alice'), bob: start('bob') };
    this.#relay = new CallableProcess(this.network.start('router', relay));
    this.sides.alice.onNews = (signal) => this.#carry('alice', 'bob', signal as LinkSignal);
    this.sides.bob.onNews = (signal) => this.#carry('bob', 'alice', signal as LinkSignal);
  }

  async connect(oneWayMs = 0): Promise<void> {
    const { alice, bob } = this.sides;
    this.#oneWayMs = oneWayMs;
    await this.#relay.call('open', oneWayMs);
    await bob.call('open', false);
    await alice.call('open', true);
    await Promise.all([alice.call('connected'), bob.call('connected')]);
  }

  /** Sends numbered frames both ways and waits until they are there. */
  async exchange(first: number, count: number, bytes: number): Promise<void> {
    const sides = Object.values(this.sides);
    await Promise.all(sides.map((side) => side.call('send', first, count, bytes)));
    await Promise.all(sides.map((side) => side.call('received', first + count)));
  }

  async expectWhole(): Promise<void> {
    for (const side of Object.values(this.sides)) {
      expect(await side.call('report')).toEqual({ gaps: 0, control: true });
    }
  }

  /** No signal was refused. */
  expectNoFault(): void {
    expect(this.#fault).toBeUndefined();
  }

  close(): void {
    this.#isClosed = true;
    this.network.close();
  }

  #carry(from: Side, to: Side, signal: LinkSignal): void {
    this.#pass(from, to, signal).catch((error: unknown) => {
      // Signals of the last moments come to an end that is gone.
      if (!this.#isClosed && !String(error).includes('the link has ended')) this.#fault ??= error;
    });
  }

  async #pass(from: Side, to: Side, signal: LinkSignal): Promise<void> {
    if (this.losesSignals) return;
    const content = JSON.parse(signal.text) as { type: string; candidate?: string };
    if (content.type === 'offer') this.offers += 1;
    if (this.#oneWayMs === 0 || content.candidate === undefined) {
      await this.sides[to].call('hear', signal);
      return;
    }
    const [, , protocol, , address] = content.candidate.split(' ');
    if (protocol!.toLowerCase() !== 'udp' || address!.startsWith('127.') || address!.includes(':'))
      return;
    const reachedAt = this.network.routerAddress(to);
    const candidate = await this.#relay.call('replace', from, content.candidate, reachedAt);
    const text = JSON.stringify({ ...content, candidate });
    await this.sides[to].call('hear', { ...signal, text });
  }
}

describe.skipIf(missing !== undefined).concurrent('a link between two networks', () => {
  let programs: string[];
  beforeAll(async () => {
    programs = await Promise.all([buildChild('link.ts'), buildChild('delay-relay.ts')]);
  });

  const open = new Set<Encounter>();
  // Those of tests that ran out of time.
  afterAll(() => open.forEach((encounter) => encounter.close()));

  async function meet(test: (encounter: Encounter) => Promise<void>): Promise<void> {
    const encounter = new Encounter(programs[0]!, programs[1]!);
    open.add(encounter);
    try {
      await test(encounter);
      encounter.expectNoFault();
    } finally {
      encounter.close();
      open.delete(encounter);
    }
  }

  it(
    'moves 2 MB whole at a loss of 5 % and a delay of 50 ms',
    () =>
      meet(async (encounter) => {
        encounter.network.lose(5);
        await encounter.connect(25);
        await encounter.sides.alice.call('send', 0, 32, 62_500);
        await encounter.sides.bob.call('received', 32);
        await encounter.expectWhole();
      }),
    120_000,
  );

  it.each([
    [8, 'while signals pass'],
    [20, 'while signals pass'],
    [20, 'of signals too'],
  ])(
    'outlives a cut of %i seconds %s',
    (seconds, which) =>
      meet(async (encounter) => {
        await encounter.connect();
        await encounter.exchange(0, 10, 1000);
        encounter.network.cut('alice');
        encounter.losesSignals = which === 'of signals too';
        const healed = pause(seconds * 1000).then(() => {
          encounter.network.heal();
          encounter.losesSignals = false;
        });
        await encounter.exchange(10, 10, 1000);
        await healed;
        await encounter.expectWhole();
      }),
    90_000,
  );

  it(
    'goes on by itself when the address of one side has changed',
    () =>
      meet(async (encounter) => {
        await encounter.connect();
        await encounter.exchange(0, 10, 1000);
        expect(encounter.offers).toBe(1);
        encounter.network.move('alice');
        await encounter.exchange(10, 10, 1000);
        expect(encounter.offers).toBeGreaterThan(1);
        encounter.network.move('bob');
        await encounter.exchange(20, 10, 1000);
        await encounter.expectWhole();
      }),
    90_000,
  );

  it(
    'ends on both sides when a cut is not healed',
    () =>
      meet(async (encounter) => {
        await encounter.connect();
        encounter.network.cut('bob');
        for (const side of Object.values(encounter.sides)) {
          expect(await side.call('closed')).toContain('peer is gone');
        }
      }),
    90_000,
  );
});
