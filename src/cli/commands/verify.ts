import type { Command } from 'commander';
import type { RecoveryReport, VerifyReport } from '../../index.ts';
import { describeError, EXIT } from '../errors.ts';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import { counted, formatBytes, formatCount } from '../terminal.ts';

export function addVerifyCommand(program: Command, output: Output): void {
  program
    .command('verify')
    .description('read, hash and merge every commit anew; exits with 5 when something is damaged')
    .action((_options: object, command: Command) =>
      useLedger(command, 'refuse', async (ledger) => {
        const progress = new Progress('verifying', { silent: output.json });
        const report = await ledger.verify((done, total) =>
          progress.update(() => ({
            fraction: done / total,
            detail: `${formatCount(done)} of ${counted(total, 'commit')}`,
          })),
        );
        progress.end();
        const { recovery } = ledger;
        const sound = isSound(report, recovery);
        if (output.json) await output.value(asJson(sound, report, recovery));
        else await print(sound, report, recovery, output);
        if (!sound) process.exitCode = EXIT.damaged;
      }),
    );
}

/**
 * No damage are the torn tail of a write that was cut short (nobody was told that it is stored) and
 * whole blocks of a later version.
 */
function isSound(report: VerifyReport, { damage, missing }: RecoveryReport): boolean {
  return (
    report.corrupt.length === 0 &&
    report.stateMatches &&
    missing.length === 0 &&
    damage.every(({ kind }) => kind === 'torn-tail')
  );
}

async function print(
  sound: boolean,
  report: VerifyReport,
  recovery: RecoveryReport,
  output: Output,
): Promise<void> {
  const { commits, documents, bytes, corrupt, stateMatches, digest } = report;
  await output.line(`commits    ${formatCount(commits)}, ${formatBytes(bytes)}`);
  await output.line(`documents  ${formatCount(documents)}`);
  if (digest !== '') await output.line(`state      ${digest}`);
  for (const { cid, error } of corrupt) {
    await output.line(`corrupt    ${cid}: ${describeError(error).message}`);
  }
  for (const { kind, segment, offset, length } of recovery.damage) {
    const what = kind === 'torn-tail' ? 'torn tail, cut off' : 'corrupt block, passed over';
    await output.line(`${segment}  at ${offset}: ${formatBytes(length)} of ${what}`);
  }
  for (const cid of recovery.missing) await output.line(`missing    ${cid}`);
  for (const cid of recovery.unreadable) await output.line(`unreadable ${cid}`);
  for (const { cid, error } of recovery.rejected) {
    await output.line(`rejected   ${cid}: ${describeError(error).message}`);
  }
  if (corrupt.length === 0 && !stateMatches) {
    await output.line('the state is not what merging all commits gives');
  }
  await output.line(
    sound
      ? output.style('green', 'the ledger is whole')
      : output.style('red', 'the ledger is DAMAGED'),
  );
}

function asJson(
  sound: boolean,
  { corrupt, ...report }: VerifyReport,
  { rejected, ...recovery }: RecoveryReport,
): unknown {
  const told = (list: readonly { cid: unknown; error: unknown }[]): unknown[] =>
    list.map(({ cid, error }) => ({ cid, error: describeError(error) }));
  return {
    sound,
    ...report,
    corrupt: told(corrupt),
    recovery: { ...recovery, rejected: told(rejected) },
  };
}
