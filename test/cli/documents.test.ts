import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cli } from './cli.ts';

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.build('documents');
});

afterAll(() => cli.remove());

test('a document that was put is printed by get, for people and for programs', async () => {
  const put = await cli.run('put', '{"_id":"ada","born":1815,"tags":["x"]}');
  expect(put).toMatchObject({ code: 0, stdout: 'put ada\n' });

  const forPeople = await cli.run('get', 'ada');
  expect(JSON.parse(forPeople.stdout)).toEqual({ _id: 'ada', born: 1815, tags: ['x'] });
  expect(forPeople.stdout.split('\n').length).toBeGreaterThan(4);
  expect(await cli.values('get', 'ada')).toEqual([{ _id: 'ada', born: 1815, tags: ['x'] }]);
});

test('bytes, links and large integers go in and out as DAG-JSON, unchanged', async () => {
  const text =
    '{"_id":"dag","big":18446744073709551615,"cid":{"/":"bafyreigotik4qrg4tds5zerql7qalirdebybnsu6umtpaqbvoopyxiifty"},"raw":{"/":{"bytes":"AQL/"}}}';
  await cli.runWith(text, 'put', '-');
  const { stdout } = await cli.run('get', 'dag', '--json');
  const inOrder = (json: string): string[] =>
    json
      .slice(1, -1)
      .split(/,(?=")/)
      .sort();
  expect(inOrder(stdout.trim())).toEqual(inOrder(text));
});

test('put without an argument reads the document from stdin', async () => {
  expect(await cli.runWith('{"_id":"piped"}', 'put')).toMatchObject({ code: 0 });
  expect(await cli.values('get', 'piped')).toEqual([{ _id: 'piped' }]);
});

test('put says what is wrong with a document and stores nothing', async () => {
  const broken = await cli.run('put', '{"_id":"broken",', '-l', 'wrong');
  expect(broken.code).toBe(1);
  const without = await cli.run('put', '{"a":1}', '-l', 'wrong', '--json');
  expect(without.code).toBe(1);
  expect(JSON.parse(without.stderr)).toMatchObject({
    error: { name: 'DocumentError', code: 'invalid-id' },
  });
  const proto = await cli.run('put', '{"_id":"p","__proto__":{"a":1}}', '-l', 'wrong');
  expect(proto.code).toBe(1);
  expect(await cli.values('list', '-l', 'wrong')).toEqual([]);
});

test('a missing document is exit code 3 for get, del, history and conflicts', async () => {
  for (const command of ['get', 'del', 'history', 'conflicts']) {
    const { code, stdout, stderr } = await cli.run(command, 'nobody', '--json');
    expect({ command, code, stdout }).toEqual({ command, code: 3, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { name: 'CliError', code: 'not-found' } });
  }
});

test('reading a ledger that does not exist is exit code 3 and creates none', async () => {
  const { code, stderr } = await cli.run('list', '--ledger', 'typo');
  expect(code).toBe(3);
  expect(stderr).toMatch(/^emberlink: there is no ledger 'typo' in .*\n$/);
  expect((await cli.run('list', '--ledger', 'typo')).code).toBe(3);
});

test('del removes a document and history still tells its past', async () => {
  await cli.run('put', '{"_id":"gone","a":1,"b":2}');
  await cli.run('put', '{"_id":"gone","a":1}');
  expect(await cli.run('del', 'gone')).toMatchObject({ code: 0, stdout: 'deleted gone\n' });
  expect((await cli.run('get', 'gone')).code).toBe(3);
  expect(await cli.values('history', 'gone')).toMatchObject([
    { deleted: false, set: { a: 1, b: 2 }, unset: [] },
    { deleted: false, set: {}, unset: ['b'] },
    { deleted: true },
  ]);
  const lines = (await cli.run('history', 'gone')).stdout.trim().split('\n');
  expect(lines.map((line) => line.split('  ').at(-1))).toEqual([
    '{"a":1,"b":2}',
    '{} -b',
    'deleted',
  ]);
});

test('list pages through everything, in both directions, by prefix and limit', async () => {
  const ids = Array.from({ length: 1203 }, (_, i) => `doc-${String(i).padStart(4, '0')}`);
  const records = ['a', ...ids, 'z'].map((id) => JSON.stringify({ _id: id }));
  await cli.runWith(records.join('\n'), 'import', '-', '-l', 'many');
  const list = (...args: string[]): Promise<unknown[]> =>
    cli.values('list', '-l', 'many', '--ids', ...args);

  expect(await list()).toEqual(['a', ...ids, 'z']);
  expect(await list('--prefix', 'doc-')).toEqual(ids);
  expect(await list('--prefix', 'doc-', '--descending')).toEqual([...ids].reverse());
  expect(await list('--prefix', 'doc-', '--limit', '1001')).toEqual(ids.slice(0, 1001));
  expect(await list('--descending', '--limit', '2')).toEqual(['z', 'doc-1202']);
  expect(await list('--limit', '0')).toEqual([]);
  expect(await list('--prefix', 'none')).toEqual([]);
});

test('list for people aligns its columns and shows no control characters', async () => {
  await cli.run('put', '{"_id":"\\u001b[31mred","a":"\\u009b1m"}', '-l', 'strange');
  await cli.run('put', '{"_id":"ok","a":1}', '-l', 'strange');
  const { stdout } = await cli.run('list', '-l', 'strange');
  expect(stdout).toBe('\\u001b[31mred  {"a":"\\u009b1m"}\n' + 'ok             {"a":1}\n');
  const one = await cli.run('get', '\u001b[31mred', '-l', 'strange');
  expect(JSON.parse(one.stdout)).toEqual({ _id: '\u001b[31mred', a: '\u009b1m' });
  // eslint-disable-next-line no-control-regex
  expect(one.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

test('query finds documents by key, keys, prefix and range', async () => {
  const records = [
    { _id: 'a', age: -5, name: 'Ada' },
    { _id: 'b', age: 5, name: 'Adele' },
    { _id: 'c', age: '5', name: 'Bob' },
    { _id: 'd', age: 40 },
  ];
  await cli.runWith(JSON.stringify(records), 'import', '-', '-l', 'people');
  const ids = async (...args: string[]): Promise<string[]> =>
    ((await cli.values('query', ...args, '-l', 'people')) as { id: string }[]).map(({ id }) => id);

  expect(await cli.values('query', 'age', '--key', '40', '-l', 'people')).toEqual([
    { id: 'd', key: 40, doc: { _id: 'd', age: 40 } },
  ]);
  expect(await ids('age', '--key', '5')).toEqual(['b']);
  expect(await ids('age', '--key', '"5"')).toEqual(['c']);
  expect(await ids('age', '--keys', '40', '5', '7')).toEqual(['d', 'b']);
  expect(await ids('age', '--range', '-5', '5')).toEqual(['a', 'b']);
  expect(await ids('name', '--prefix', 'Ad')).toEqual(['a', 'b']);
  expect(await ids('name', '--descending', '--limit', '2')).toEqual(['c', 'b']);
  expect(await ids('nothing')).toEqual([]);

  const table = (await cli.run('query', 'name', '-l', 'people')).stdout;
  expect(table.split('\n')[0]).toMatch(/^"Ada" {4}a {2}\{/);
});

test('wrong usage is exit code 2 with one line, or JSON, that says what is wrong', async () => {
  const wrong = [
    [],
    ['nonsense'],
    ['get'],
    ['list', '--limit', 'many'],
    ['list', '--nonsense'],
    ['query', 'x', '--range', '1'],
    ['query', 'x', '--key', '1', '--prefix', 'a'],
    ['put', '{"_id":"x"}', '--ledger', '..'],
    ['put', '{"_id":"x"}', '--ledger', '../no name'],
    ['offer', '--ice-server', 'http://example.org'],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await cli.run(...args);
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
    expect(stderr).toMatch(/^emberlink: \S.*\n$/);
    const { error } = JSON.parse((await cli.run(...args, '--json')).stderr) as {
      error: Record<string, string>;
    };
    expect(Object.keys(error)).toEqual(['name', 'code', 'message']);
  }
});

test('--debug shows where an error came from', async () => {
  const { stderr } = await cli.run('get', 'nobody', '--debug');
  expect(stderr).toMatch(/\n {4}at /);
});

test('--help documents every command, the global options and the exit codes', async () => {
  const { code, stdout } = await cli.run('--help');
  expect(code).toBe(0);
  for (const word of ['import', 'conflicts', 'accept', 'EMBERLINK_LEDGER', '130  interrupted']) {
    expect(stdout).toContain(word);
  }
  expect((await cli.run('query', '--help')).stdout).toContain('--ledger');
  expect((await cli.run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('a ledger that another process has open is exit code 4', async () => {
  await cli.run('put', '{"_id":"x"}', '-l', 'busy');
  const holder = cli.start('offer', '--ice-server', 'none', '-l', 'busy');
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  const { code, stderr } = await cli.run('get', 'x', '-l', 'busy');
  expect(code).toBe(4);
  expect(stderr).toContain(`pid ${holder.pid}`);
  holder.kill('SIGKILL');
});

test('a reader that has seen enough ends the command without a word', async () => {
  const records = Array.from({ length: 5000 }, (_, i) => `{"_id":"${i}","t":"${'x'.repeat(100)}"}`);
  await cli.runWith(records.join('\n'), 'import', '-', '-l', 'long');
  const child = cli.start('list', '-l', 'long');
  child.stdout.once('data', () => child.stdout.destroy());
  const complaints: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect({ code, stderr: Buffer.concat(complaints).toString() }).toEqual({ code: 0, stderr: '' });
  expect(await cli.values('list', '-l', 'long', '--ids', '--limit', '1')).toEqual(['0']);
});

test('a ledger is named, or given as a path', async () => {
  await cli.run('put', '{"_id":"x"}', '--ledger', './data/garden');
  const named = ['--folder', 'data', '--ledger', 'garden'];
  expect(await cli.values('list', '--ids', ...named)).toEqual(['x']);
});
