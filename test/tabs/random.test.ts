import { expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { forSeeds, type Random, setting } from '../support/random.ts';
import { FakeOrigin, type FakeTab } from './fake-origin.ts';

const RUNS = setting('EMBERLINK_TAB_RUNS', 25);
const STEPS = 60;
const MOST_TABS = 4;

interface Opened {
  readonly tab: FakeTab;
  readonly ledger: Ledger;
  /** Ids that listeners were told of, and those whose write was acknowledged, since it was opened. */
  readonly told: Set<string>;
  readonly due: Set<string>;
  readonly writes: Promise<void>[];
}

test(
  'tabs that open, write, freeze, close and die at random lose nothing, and agree in the end',
  async () => {
    await forSeeds(RUNS, run);
  },
  60_000 + RUNS * 2000,
);

async function run(random: Random): Promise<void> {
  const origin = new FakeOrigin(random);
  const opened = new Set<Opened>();
  const closing: Promise<void>[] = [];
  let opening = 0;
  const openings: Promise<void>[] = [];
  const acknowledged = new Set<string>();
  const failures: unknown[] = [];
  let count = 0;

  const open = (): void => {
    const tab = origin.newTab();
    opening++;
    const opens = tab.open('notes').then(
      (ledger) => {
        const told = new Set<string>();
        ledger.subscribe(({ ids }) => ids.forEach((id) => told.add(id)));
        opened.add({ tab, ledger, told, due: new Set(), writes: [] });
      },
      (error: unknown) => void failures.push(error),
    );
    openings.push(opens.finally(() => opening--));
  };
  const write = ({ tab, ledger, told, writes }: Opened): void => {
    const id = `doc:${++count}`;
    const others = [...opened];
    const promise = ledger.put({ _id: id }).then(
      () => {
        acknowledged.add(id);
        if (!told.has(id)) failures.push(new Error(`${id} was not told of before it resolved`));
        for (const { due } of others) due.add(id);
      },
      (error: unknown) => {
        if (tab.state !== 'killed') failures.push(error);
      },
    );
    writes.push(promise);
  };
  const thawOne = (): void => {
    if (opened.size > 0) random.pick([...opened]).tab.thaw();
  };

  open();
  for (let step = 0; step < STEPS; step++) {
    await settle(random.oneIn(6) ? random.below(60) : 0);
    const some = [...opened].filter(({ tab }) => tab.state === 'running');
    const one = some.length === 0 ? undefined : random.pick(some);
    const action = random.below(20);
    if (opened.size + opening < MOST_TABS && (one === undefined || action === 0)) open();
    else if (one === undefined) thawOne();
    else if (action === 1) {
      one.tab.kill();
      opened.delete(one);
    } else if (action === 2) one.tab.freeze();
    else if (action === 3) {
      opened.delete(one);
      closing.push(one.ledger.close());
    } else if (action < 6) random.pick([...opened]).tab.thaw();
    else write(one);
  }

  for (const { tab } of opened) tab.thaw();
  if (opened.size === 0) open();
  await Promise.all(openings);
  await Promise.all([...opened].flatMap(({ writes }) => writes));
  await Promise.all(closing);
  expect(failures).toEqual([]);
  // One that led and was frozen shows what it had until it hears that another leads.
  const digests = (): Promise<string[]> =>
    Promise.all([...opened].map(({ ledger }) => ledger.digest()));
  await expect.poll(async () => new Set(await digests()).size).toBe(1);
  for (const { ledger } of opened) {
    const { rows } = await ledger.allDocs();
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining([...acknowledged]));
  }
  for (const { told, due } of opened) {
    await expect.poll(() => [...due].filter((id) => !told.has(id))).toEqual([]);
  }
  for (const { ledger } of opened) await ledger.close();
}

function settle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
