import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openLedger } from '../../src/index.ts';
import { buildChild } from '../support/built.ts';

it('a full disk refuses a write with StorageError full; all before it stays, and small ones fit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'emberlink-full-'));
  try {
    // Files may not grow beyond 200 blocks of 512 or 1,024 bytes, as the shell counts.
    const command = `ulimit -f 200; exec "$0" "$@"`;
    const program = await buildChild('full-ledger.ts');
    const args = ['-c', command, process.execPath, program, folder];
    const { stdout } = await promisify(execFile)('sh', args);
    const seen = JSON.parse(stdout) as { stored: number };
    expect(seen).toMatchObject({ code: 'full', isLost: true, isLastThere: true });
    expect(seen.stored).toBeGreaterThan(50);

    const ledger = await openLedger('full', { folder });
    expect(ledger.recovery.damage).toEqual([]);
    expect(ledger.count()).toBe(seen.stored + 1);
    expect(await ledger.get('edited')).toEqual({ _id: 'edited', note: 'last' });
    // The refused write left no trace in the clock either.
    const [, edit] = await ledger.history('edited');
    expect(ledger.clock.map(String)).toEqual([String(edit!.commit)]);
    await ledger.put({ _id: 'again', data: 'x'.repeat(1000) });
    expect((await ledger.verify()).stateMatches).toBe(true);
    await ledger.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
