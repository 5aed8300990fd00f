import { expect, it } from 'vitest';
import { commands } from 'vitest/browser';

it('a test within a browser fails for what its page and workers complain about', async () => {
  console.error('odd:', new RangeError('too far'));
  const program = new Blob(["console.error('from a worker'); postMessage('done')"]);
  const worker = new Worker(URL.createObjectURL(program));
  await new Promise((resolve) => worker.addEventListener('message', resolve));
  worker.terminate();
  const failure = await commands.checkComplaints().catch((error: Error) => error.message);
  expect(failure).toMatch(/odd:.*too far/);
  expect(failure).toContain('from a worker');
});
