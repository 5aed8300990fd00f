import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestClient } from '../signaling/client.ts';
import { Cli, exitCode, linesOf } from './cli.ts';

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.build('signal');
});

afterAll(() => cli.remove());

const LOCAL = ['--host', '127.0.0.1', '--port', '0', '--drain-seconds', '0.2'];

/** Starts a server and waits until its log tells where it listens. */
async function start(...flags: string[]): Promise<{
  child: ReturnType<Cli['start']>;
  url: string;
}> {
  const child = cli.start('signal', ...LOCAL, ...flags);
  child.stderr.resume();
  const line = JSON.parse(await linesOf(child)()) as { msg: string; url: string };
  expect(line.msg).toBe('listening');
  return { child, url: line.url };
}

test('the command serves until SIGTERM, drains and exits with 0', async () => {
  const { child, url } = await start('--path', '/rooms', '--retry-ms', '777');
  expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/rooms$/);
  const client = await TestClient.connect(url);
  await client.join('r');
  child.kill('SIGTERM');
  expect(await client.next('drain')).toMatchObject({ retryMs: 777 });
  expect(await client.closed).toBe(1012);
  expect(await exitCode(child)).toBe(0);
});

test('a second signal ends the command at once', async () => {
  const { child, url } = await start('--drain-seconds', '3600');
  const client = await TestClient.connect(url);
  child.kill('SIGINT');
  await client.next('drain');
  child.kill('SIGINT');
  expect(await exitCode(child)).toBe(130);
});

test('settings come from the environment too, and flags go before', async () => {
  process.env['EMBERLINK_SIGNAL_AUTH'] = 'token';
  process.env['EMBERLINK_SIGNAL_TOKEN'] = 'from the environment';
  process.env['EMBERLINK_SIGNAL_RETRY_MS'] = '1';
  try {
    const { child, url } = await start('--retry-ms', '2');
    const client = await TestClient.connect(url);
    await client.join('r', undefined, 'from the environment');
    child.kill('SIGTERM');
    expect(await client.next('drain')).toMatchObject({ retryMs: 2 });
    expect(await exitCode(child)).toBe(0);
  } finally {
    for (const name of ['AUTH', 'TOKEN', 'RETRY_MS'])
      delete process.env[`EMBERLINK_SIGNAL_${name}`];
  }
});

test('a port that is taken and a setting that is wrong are told plainly, each with its exit code', async () => {
  const { child, url } = await start();
  const taken = await cli.run('signal', '--host', '127.0.0.1', '--port', new URL(url).port);
  expect(taken).toMatchObject({ code: 1, stderr: expect.stringMatching(/port \d+ is taken\n$/) });
  const wrong = await cli.run('signal', '--max-members-per-room', 'many');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('--max-members-per-room: must be a whole number from 2 to 1024');
  const together = await cli.run('signal', '--auth', 'token');
  expect(together).toMatchObject({ code: 2, stderr: expect.stringContaining('needs token') });
  const unknown = await cli.run('signal', '--shards', '2');
  expect(unknown.code).toBe(2);
  child.kill('SIGTERM');
  expect(await exitCode(child)).toBe(0);
});

test('--help names every flag with its default and its variable', async () => {
  const { code, stdout } = await cli.run('signal', '--help');
  expect(code).toBe(0);
  const words = stdout.replaceAll(/\s+/g, ' ');
  expect(words).toContain(
    '--max-members-per-room <count> members of a room (default: 64, env: EMBERLINK_SIGNAL_MAX_MEMBERS_PER_ROOM)',
  );
});
