import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { SignalError, Sync, type Ledger, type SyncProgress } from '../../index.ts';
import { CliError } from '../errors.ts';
import { iceServerOption, parseIceServers } from '../ice-servers.ts';
import { interruptible } from '../interrupt.ts';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { Progress, type ProgressState } from '../progress.ts';
import { counted, formatBytes, printable } from '../terminal.ts';

type Amount = SyncProgress['sent'];

interface SyncFlags {
  readonly live?: boolean;
  readonly iceServer?: readonly string[];
  readonly original?: boolean;
}

/** More pasted text than any signal with everything a messenger puts around it. */
const MAX_PASTED = 64 * 1024;

/** Ids kept for a stdout that is read slower than a peer writes; further changes are only counted. */
const MAX_UNPRINTED = 10_000;

/** offer, accept: sync with one peer by pasting two strings. */
export function addSyncCommands(program: Command, output: Output): void {
  const offer = program
    .command('offer')
    .description('sync with a peer: prints an offer for `emberlink accept`, then takes its answer')
    .option('--original', 'an offer in the long form that older systems know');
  addSyncOptions(offer).action((flags: SyncFlags, command: Command) =>
    runSync(command, flags, output, async (sync) => {
      const text = await sync.offer({ format: flags.original ? 'original' : 'short' });
      await show('offer', text, output);
      output.note('The other side runs `emberlink accept` with it. Paste its answer here:');
      await takeSignal(output, (answer) => sync.connect(answer));
    }),
  );

  const accept = program
    .command('accept')
    .description('sync with a peer: takes its offer and prints the answer to it')
    .argument('[offer]', 'asked for on stdin when it is not given');
  addSyncOptions(accept).action((text: string | undefined, flags: SyncFlags, command: Command) =>
    runSync(command, flags, output, async (sync) => {
      let answer = '';
      const take = async (offer: string): Promise<void> => {
        answer = await sync.accept(offer);
      };
      if (text === undefined) {
        output.note("Paste the other side's offer here:");
        await takeSignal(output, take);
      } else {
        await take(text);
      }
      await show('answer', answer, output);
      output.note('Paste this answer on the other side.');
    }),
  );
}

function addSyncOptions(command: Command): Command {
  return command
    .option('--live', 'stay connected after the first sync, until Ctrl-C')
    .addOption(iceServerOption());
}

async function show(what: 'offer' | 'answer', text: string, output: Output): Promise<void> {
  if (output.json) await output.value({ [what]: text });
  else await output.line(text);
}

async function runSync(
  command: Command,
  flags: SyncFlags,
  output: Output,
  introduce: (sync: Sync) => Promise<void>,
): Promise<void> {
  const options = parseIceServers(flags.iceServer);
  await useLedger(command, 'create', (ledger) =>
    interruptible(async (signal) => {
      const sync = new Sync(ledger, options);
      const failed = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        sync.subscribe((status) => {
          if (status.state === 'closed' && status.error !== undefined) reject(status.error);
        });
      });
      const talk = async (): Promise<void> => {
        await introduce(sync);
        await converse(sync, ledger, flags.live ?? false, output);
      };
      try {
        await Promise.race([talk(), failed]);
      } finally {
        await sync.close();
      }
    }),
  );
}

/** From the exchange of the two strings to the end. */
async function converse(sync: Sync, ledger: Ledger, live: boolean, output: Output): Promise<void> {
  const progress = new Progress('syncing', { silent: output.json });
  let moved: SyncProgress | undefined;
  sync.subscribe((status) => {
    if (status.state !== 'syncing') return;
    moved = status.progress;
    progress.update(() => progressState(status.progress));
  });
  try {
    await sync.backlog();
    await orInOrder(sync, sync.synced());
  } finally {
    progress.end();
  }
  await report(moved, ledger, output);
  if (live) await stayLive(sync, ledger, output);
}

/** The other side may leave as soon as it has and gave everything: that is no failure. */
async function orInOrder(sync: Sync, step: Promise<void>): Promise<void> {
  try {
    await step;
  } catch (error) {
    const { status } = sync;
    if (status.state !== 'closed' || status.error !== undefined) throw error;
  }
}

async function report(
  moved: SyncProgress | undefined,
  ledger: Ledger,
  output: Output,
): Promise<void> {
  // The last news of the first sync may be older than its end.
  const sent = moved === undefined ? NOTHING : greater(moved.sent, moved.toSend);
  const received = moved === undefined ? NOTHING : greater(moved.received, moved.toReceive);
  if (output.json) {
    await output.value({ synced: true, sent, received, clock: ledger.clock });
    return;
  }
  const amount = ({ blocks, bytes }: Amount): string =>
    `${counted(blocks, 'block')} (${formatBytes(bytes)})`;
  await output.line(`in sync: sent ${amount(sent)}, received ${amount(received)}`);
}

/** Prints what comes in until the other side leaves; Ctrl-C ends it from outside. */
async function stayLive(sync: Sync, ledger: Ledger, output: Output): Promise<void> {
  output.note('live; Ctrl-C ends it');
  let changed = new Set<string>();
  let unnamed = 0;
  let wake = (): void => {};
  const unsubscribe = ledger.subscribe(({ ids }) => {
    for (const id of ids) {
      if (changed.size < MAX_UNPRINTED) changed.add(id);
      else unnamed++;
    }
    wake();
  });
  sync.subscribe(() => wake());
  try {
    for (;;) {
      if (changed.size > 0) {
        const ids = [...changed];
        const more = unnamed;
        changed = new Set();
        unnamed = 0;
        await printChanges(ids, more, output);
      } else if (sync.status.state === 'closed') {
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    unsubscribe();
  }
}

async function printChanges(ids: string[], more: number, output: Output): Promise<void> {
  if (output.json) {
    await output.value({ changed: ids, more });
    return;
  }
  const lines = ids.map((id) => `received ${printable(id)}`);
  if (more > 0) lines.push(`received ${counted(more, 'more change')}`);
  await output.line(lines.join('\n'));
}

function progressState({ sent, toSend, received, toReceive }: SyncProgress): ProgressState {
  const done = sent.blocks + received.blocks;
  const total = toSend.blocks + toReceive.blocks;
  return {
    fraction: total === 0 ? undefined : Math.min(1, done / total),
    detail: `sent ${formatBytes(sent.bytes)}, received ${formatBytes(received.bytes)}`,
  };
}

function greater(a: Amount, b: Amount): Amount {
  return a.blocks >= b.blocks ? a : b;
}

const NOTHING: Amount = { blocks: 0, bytes: 0 };

// --- what people paste ---

/** Reads lines until they hold a signal that `take` takes; says what is wrong with the others. */
async function takeSignal(
  output: Output,
  take: (text: string) => void | Promise<void>,
): Promise<void> {
  const input = createInterface({ input: process.stdin });
  let pasted = '';
  let refusal: SignalError | undefined;
  try {
    for await (const line of input) {
      if (line.trim() === '') continue;
      pasted = pasted.length + line.length > MAX_PASTED ? line : `${pasted}${line}\n`;
      try {
        await take(pasted);
        return;
      } catch (error) {
        if (!(error instanceof SignalError)) throw error;
        refusal = error;
        // Of a paste of several lines the rest is on its way.
        if (error.code === 'truncated') continue;
        output.note(`${error.message}. Try again:`);
        pasted = '';
      }
    }
  } finally {
    input.close();
  }
  throw refusal ?? new CliError('bad-input', 'stdin ended before anything was pasted');
}
