import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { fromSources } from '../browser/support/bundle-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('what a ledger needs later is in no file that a page loads at once', async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/open-ledger.ts'],
    bundle: true,
    splitting: true,
    platform: 'browser',
    format: 'esm',
    outdir: '/',
    write: false,
    metafile: true,
    logLevel: 'error',
    plugins: [fromSources],
  });
  const files = Object.entries(metafile.outputs);
  const atOnce = new Set(
    files.flatMap(([name, { entryPoint }]) => (entryPoint === 'src/open-ledger.ts' ? [name] : [])),
  );
  for (const name of atOnce) {
    for (const { path, kind } of metafile.outputs[name]!.imports) {
      if (kind === 'import-statement') atOnce.add(path);
    }
  }
  const sources = [...atOnce].flatMap((name) => Object.keys(metafile.outputs[name]!.inputs));
  const here = sources.map((source) => basename(source));
  expect(here).toEqual(expect.arrayContaining(['local-ledger.ts', 'indexeddb.ts', 'query.ts']));

  const later = readFileSync(`${root}src/ledger/later.ts`, 'utf8');
  const names = Array.from(later.matchAll(/from '.*\/(.+)';/g), ([, name]) => name!);
  expect(names).toContain('intake.ts');
  expect(
    [...names, 'archive.ts', 'compaction.ts', 'opfs.ts', 'parked.ts'].filter((name) =>
      here.includes(name),
    ),
  ).toEqual([]);
});
