import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cli } from './cli.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.build('readme');
});

afterAll(() => cli.remove());

async function help(...args: string[]): Promise<string> {
  const { code, stdout } = await cli.run(...args, '--help');
  expect(code).toBe(0);
  return stdout;
}

test('the table of commands lists those that there are', async () => {
  const names = (await help()).split('\nCommands:\n')[1]!.matchAll(/^ {2}([a-z]+)/gm);
  const commands = Array.from(names, ([, name]) => name!).filter((name) => name !== 'help');
  const table = readme.split('\n| command | what it does |\n|---|---|\n')[1]!.split('\n\n')[0]!;
  const told = table
    .split('\n')
    .flatMap((row) => [...row.split('|')[1]!.matchAll(/`([a-z]+)`/g)].map(([, name]) => name!));
  expect(told.sort()).toEqual(commands.sort());
});

test('what README.md calls exists, with the options that it gives', async () => {
  const calls = [...readme.matchAll(/^npx emberlink ([a-z]+)?([^#\n]*)/gm)];
  expect(calls.length).toBeGreaterThan(5);
  for (const [, command, rest] of calls) {
    const known = await help(...(command === undefined ? [] : [command]));
    for (const [option] of rest!.matchAll(/--[a-z][a-z-]+/g)) expect(known).toContain(`${option} `);
  }
});

test('the options of peer that README.md tells of are those that there are', async () => {
  const own = (await help('peer')).split('\nGlobal Options:')[0]!;
  const known = Array.from(own.matchAll(/^ +(?:-h, )?(--[a-z-]+)/gm), ([, option]) => option!);
  const chapter = readme.split('\n## A peer that is always there\n')[1]!.split('\n## ')[0]!;
  const told = new Set(Array.from(chapter.matchAll(/--[a-z][a-z-]+/g), ([option]) => option));
  const foreign = ['--ledger', '--json'];
  expect([...told].filter((option) => !foreign.includes(option)).sort()).toEqual(
    known.filter((option) => option !== '--help').sort(),
  );
});
