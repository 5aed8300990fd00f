/**
 * `node scripts/test-summary.mjs <report.json>…`: from the runner's own reports, which tests failed and
 * which passed only when they were run again, with why, and 'N passed, N failed' as the last line. Ends
 * with 1 unless every report tells of tests and of none that failed.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const runs = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));

for (const { name, assertionResults, message } of runs.flatMap((run) => run.testResults)) {
  const file = relative('.', name);
  if (message) console.log(`FAILED ${file}\n  ${firstLineOf(message)}`);
  for (const { fullName, status, failureMessages } of assertionResults) {
    if (failureMessages.length === 0) continue;
    const verdict = status === 'failed' ? 'FAILED' : 'PASSED ONLY WHEN RUN AGAIN';
    console.log(`${verdict} ${file}: ${fullName}`);
    for (const failure of failureMessages) console.log(`  ${firstLineOf(failure)}`);
  }
}

const sum = (count) => runs.reduce((total, run) => total + run[count], 0);
console.log(`${sum('numPassedTests')} passed, ${sum('numFailedTests')} failed`);
process.exitCode = runs.every((run) => run.success && run.numPassedTests > 0) ? 0 : 1;

/** What went wrong; of a test whose time was up the runner says nothing else. */
function firstLineOf(text) {
  const [line] = text.split('\n', 1);
  return line.endsWith('STACK_TRACE_ERROR') ? 'its time was up' : line;
}
