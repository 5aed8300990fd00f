/**
 * Writes to the ledger in the folder of its first argument until somebody kills it. Says `begin` before
 * it opens the ledger, and of each write first what it will be and then that it is done:
 *
 *   ? number id content     the write of that number is asked for; content `-` is a delete
 *   ! number                it was acknowledged
 */
import { writeSync } from 'node:fs';
import { openLedger } from '../../src/open-ledger.ts';
import { Random } from '../support/random.ts';

const [folder, durability, seed, from] = process.argv.slice(2) as [
  string,
  'relaxed' | 'strict',
  string,
  string,
];
const random = new Random(Number(seed));
let next = Number(from);

const open = (): ReturnType<typeof openLedger> =>
  openLedger('busy', { folder, durability, segmentBytes: 20_000 });

say('begin');
let ledger = await open();
for (;;) {
  switch (random.below(6)) {
    case 0:
      await removal();
      break;
    case 1:
      await bulk();
      break;
    case 2:
      await Promise.all([update(), update(), removal()]);
      break;
    default:
      await update();
  }
  if (random.oneIn(100)) {
    await ledger.close();
    ledger = await open();
  }
}

async function update(): Promise<void> {
  const [number, id] = [next++, randomId()];
  const content = contentOf(number);
  say(`? ${number} ${id} ${content}`);
  await ledger.put({ _id: id, content, [`field${number % 3}`]: number });
  say(`! ${number}`);
}

async function removal(): Promise<void> {
  const [number, id] = [next++, randomId()];
  say(`? ${number} ${id} -`);
  await ledger.del(id);
  say(`! ${number}`);
}

async function bulk(): Promise<void> {
  const first = next;
  const documents = Array.from({ length: 1 + random.below(60) }, () => {
    const [number, id] = [next++, randomId()];
    const content = contentOf(number);
    say(`? ${number} ${id} ${content}`);
    return { _id: id, content };
  });
  await ledger.bulk(documents);
  for (let number = first; number < next; number++) say(`! ${number}`);
}

function randomId(): string {
  return `doc-${random.below(200)}`;
}

/** Of many lengths, so that a write may end anywhere in a page of the disk. */
function contentOf(number: number): string {
  return `${number}:${'x'.repeat(random.oneIn(20) ? random.below(9000) : random.below(300))}`;
}

/** At once and whole, so that what was said is known though the process dies right then. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
