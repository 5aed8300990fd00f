import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Cli, resultOf } from './cli.ts';

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.build('import');
});

afterAll(() => cli.remove());

const records = [
  { _id: 'a', n: 1, text: 'brackets ]}[{ and "quotes" \\ in text' },
  { _id: 'b', n: 2, nested: { list: [[], {}, [null, true]] } },
  { _id: 'ç', n: 3, text: 'žlutý 🐎' },
];

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(cli.folder, name);
  await writeFile(path, content);
  return path;
}

test('JSON arrays, NDJSON and indented values give the same documents, whatever the file is called', async () => {
  const layouts = {
    array: JSON.stringify(records, null, 2),
    ndjson: records.map((record) => JSON.stringify(record)).join('\n'),
    'ndjson-crlf': `${records.map((record) => JSON.stringify(record)).join('\r\n')}\r\n`,
    values: records.map((record) => JSON.stringify(record, null, 2)).join('\n'),
    bom: `\ufeff${JSON.stringify(records)}`,
    blank: `\n\n  ${JSON.stringify(records)}\n\n`,
  };
  for (const [layout, content] of Object.entries(layouts)) {
    const path = await file(`records-${layout}`, content);
    const imported = await cli.run('import', path, '-l', layout);
    expect({ layout, ...imported }).toMatchObject({ code: 0, stdout: 'imported 3 documents\n' });
    expect({ layout, found: await cli.values('list', '-l', layout) }).toEqual({
      layout,
      found: records,
    });
  }
});

test('stdin that comes byte by byte is imported like a file', async () => {
  const child = cli.start('import', '-', '-l', 'bytes');
  for (const byte of Buffer.from(JSON.stringify(records))) child.stdin.write(Buffer.of(byte));
  child.stdin.end();
  expect(await resultOf(child)).toMatchObject({ code: 0, stdout: 'imported 3 documents\n' });
  expect(await cli.values('list', '-l', 'bytes')).toEqual(records);
});

test('nothing at all, blanks and an empty array are no documents and no error', async () => {
  for (const input of ['', ' \n', '[]']) {
    const { code, stdout } = await cli.runWith(input, 'import', '-', '-l', 'empty', '--json');
    expect({ input, code }).toEqual({ input, code: 0 });
    expect(JSON.parse(stdout)).toEqual({ documents: 0, clock: [] });
  }
});

test('--id names the field that gives the _id; numbers become text', async () => {
  const input = '[{"code":"cz","name":"Czechia"},{"code":42,"name":"?"}]';
  expect(await cli.runWith(input, 'import', '-', '--id', 'code', '-l', 'ids')).toMatchObject({
    code: 0,
  });
  expect(await cli.values('list', '-l', 'ids')).toEqual([
    { _id: '42', code: 42, name: '?' },
    { _id: 'cz', code: 'cz', name: 'Czechia' },
  ]);
});

test('importing the same records again changes nothing', async () => {
  const input = JSON.stringify(records);
  const [first] = await cli.values('import', await file('again', input), '-l', 'again');
  const [second] = await cli.values('import', await file('again', input), '-l', 'again');
  expect(second).toEqual(first);
});

test('a bad record is named by its number, and the records before it are stored', async () => {
  const good = '{"_id":"1"}\n{"_id":"2"}\n';
  const bad = {
    '{"_id":"3", nope}': 'not JSON',
    '{"_id":"3"': 'Unexpected "{"',
    '{"name":"3"}': "no field '_id'",
    '[1]': 'a record is a JSON object',
    '17': 'a record is a JSON object',
    '{"_id":""}': 'not empty',
    '{"_id":true}': 'an _id is a string',
    '{"_id":"3","x":1e999}': "field 'x'",
    '{"_id":"3","x":123456789012345678901234567890}': '64 bits',
    '{"_id":"3","x":{"/":"nonsense"}}': 'is no CID',
    '{"_id":"3","x":{"/":{"bytes":"?"}}}': 'is no base64',
    [`{"_id":"3","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`]: 'nested more than',
    [`{"_id":"3","x":"${'x'.repeat(2_000_000)}"}`]: 'bytes; the limit',
    [`{"_id":"3","x":"${'x'.repeat(20_000_000)}"}`]: 'more than 16777216 bytes',
  };
  for (const [nth, [record, message]] of Object.entries(bad).entries()) {
    const ledger = `bad-${nth}`;
    const { code, stdout, stderr } = await cli.runWith(
      `${good}${record}\n{"_id":"4"}`,
      'import',
      '-',
      '-l',
      ledger,
    );
    expect({ message, code, stdout }).toEqual({ message, code: 1, stdout: '' });
    expect(stderr).toMatch(/^stored before this: 2 documents\nemberlink: stdin: record 3: .*\n$/);
    expect(stderr).toContain(message);
    expect(await cli.values('list', '--ids', '-l', ledger)).toEqual(['1', '2']);
  }
});

test('text that is not UTF-8 is refused, not guessed', async () => {
  const latin1 = Buffer.from('[{"_id":"1"},{"_id":"café"}]', 'latin1');
  const { code, stderr } = await cli.runWith(latin1, 'import', '-', '-l', 'latin1');
  expect(code).toBe(1);
  expect(stderr).toContain('record 2');
});

test('input that is something else, and files that cannot be read, are refused', async () => {
  const page = await cli.runWith('<!doctype html>', 'import', '-', '-l', 'else', '--json');
  expect(page.code).toBe(1);
  expect(JSON.parse(page.stderr)).toMatchObject({ error: { code: 'bad-input' } });
  expect((await cli.run('import', join(cli.folder, 'missing'))).stderr).toContain('no such file');
  expect((await cli.run('import', cli.folder)).stderr).toContain('it is a folder');
});

test('an exported CAR gives another ledger the same documents and clock', async () => {
  await cli.runWith(JSON.stringify(records), 'import', '-', '-l', 'source');
  const path = join(cli.folder, 'source.car');
  const [exported] = await cli.values('export', path, '-l', 'source');
  expect(exported).toEqual({ file: path, commits: 1, bytes: (await stat(path)).size });

  expect(await cli.values('import', path, '-l', 'copy')).toEqual([{ blocks: 1, added: 1 }]);
  expect(await cli.values('import', path, '-l', 'copy')).toEqual([{ blocks: 1, added: 0 }]);
  expect(await cli.values('list', '-l', 'copy')).toEqual(records);
  const clock = async (ledger: string): Promise<unknown> =>
    ((await cli.values('inspect', '-l', ledger)) as { clock: unknown }[])[0]!.clock;
  expect(await clock('copy')).toEqual(await clock('source'));

  const piped = cli.start('export', '-', '-l', 'source');
  const chunks: Buffer[] = [];
  for await (const chunk of piped.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  expect(Buffer.concat(chunks)).toEqual(await readFile(path));
});

test('a snapshot gives another ledger the documents without their past', async () => {
  for (let n = 0; n < 3; n++) await cli.run('put', `{"_id":"x","n":${n}}`, '-l', 'long');
  const path = join(cli.folder, 'long.car');
  expect((await cli.run('export', path, '--snapshot', '-l', 'long')).code).toBe(0);
  expect(await cli.values('import', path, '-l', 'short')).toEqual([{ blocks: 2, added: 3 }]);
  expect(await cli.values('list', '-l', 'short')).toEqual([{ _id: 'x', n: 2 }]);
  expect((await cli.values('verify', '-l', 'short'))[0]).toMatchObject({ sound: true });
});

test('compact drops nothing where the newest commits are all there are', async () => {
  await cli.run('put', '{"_id":"x"}', '-l', 'small');
  expect((await cli.values('compact', '-l', 'small'))[0]).toMatchObject({ dropped: 0 });
});

test('a CAR that was tampered with is refused', async () => {
  await cli.runWith(JSON.stringify(records), 'import', '-', '-l', 'honest');
  const path = join(cli.folder, 'tampered.car');
  await cli.run('export', path, '-l', 'honest');
  const car = await readFile(path);
  car[car.length - 60]! ^= 1;
  await writeFile(path, car);
  const { code, stderr } = await cli.run('import', path, '-l', 'victim', '--json');
  expect(code).toBe(1);
  expect(JSON.parse(stderr)).toMatchObject({
    error: { name: 'BlockError', code: 'hash-mismatch' },
  });
  expect(await cli.values('list', '-l', 'victim')).toEqual([]);
});

test('an export that fails leaves no file and no draft behind', async () => {
  await cli.run('put', '{"_id":"x"}', '-l', 'whole');
  const { code, stderr } = await cli.run(
    'export',
    join(cli.folder, 'no', 'such', 'x.car'),
    '-l',
    'whole',
  );
  expect(code).toBe(1);
  expect(stderr).toContain('no such file or directory');
  const target = join(cli.folder, 'ledgers');
  expect((await cli.run('export', target, '-l', 'whole')).code).toBe(1);
  expect((await readdir(cli.folder)).filter((name) => name.includes('.part'))).toEqual([]);
});

test('an import shows its progress, and Ctrl-C in its middle leaves a whole ledger, exit code 130', async () => {
  const child = cli.start('import', '-', '-l', 'cut');
  const result = resultOf(child);
  let written = 0;
  const feed = (): void => {
    // More than anybody reads: the import is always in the middle.
    while (!child.stdin.destroyed) {
      const line = (): string => `{"_id":"doc-${written++}","text":"${'x'.repeat(200)}"}\n`;
      if (child.stdin.write(Array.from({ length: 1000 }, line).join(''))) continue;
      child.stdin.once('drain', feed);
      return;
    }
  };
  feed();
  await once(child.stderr, 'data');
  child.kill('SIGINT');
  const { code, stdout, stderr } = await result;
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  const [progress, ...rest] = stderr.trimEnd().split('\n');
  expect(progress).toMatch(/^importing stdin \d+ MB, [\d,]+ documents$/);
  expect(rest.at(-1)).toBe('emberlink: interrupted');

  const [, count] = /^stored before this: ([\d,]+) documents$/.exec(rest.at(-2)!)!;
  const [report] = await cli.values('verify', '-l', 'cut');
  const documents = Number(count!.replaceAll(',', ''));
  expect(report).toMatchObject({ sound: true, documents, recovery: { damage: [] } });
  expect(await readdir(join(cli.folder, 'ledgers', 'cut'))).not.toContain('lock');
});

test('Ctrl-C ends an import that waits for its stdin', async () => {
  const child = cli.start('import', '-', '-l', 'waiting');
  const result = resultOf(child);
  // More than one batch of records, so that it is known to be at work.
  child.stdin.write(Array.from({ length: 50_000 }, (_, i) => `{"_id":"${i}"}\n`).join(''));
  const log = join(cli.folder, 'ledgers', 'waiting', 'log-00000001.car');
  await vi.waitFor(async () => expect((await stat(log)).size).toBeGreaterThan(0), {
    timeout: 20_000,
  });
  child.kill('SIGINT');
  expect((await result).code).toBe(130);
  expect((await cli.run('verify', '-l', 'waiting')).code).toBe(0);
});

test('with --json an import that goes well prints nothing on stderr', async () => {
  const { code, stderr } = await cli.runWith('{"_id":"a"}', 'import', '-', '--json', '-l', 'quiet');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
