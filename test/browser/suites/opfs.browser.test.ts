import { logSuite } from '../../suites/log.suite.ts';
import { type PlaceFixture, placeSuite } from '../../suites/place.suite.ts';
import { WorkerPlace } from '../support/worker-place.ts';

async function opfsFixture(): Promise<PlaceFixture> {
  const name = crypto.randomUUID();
  const program = new URL('../support/opfs-worker.ts', import.meta.url);
  const worker = new Worker(program, { type: 'module' });
  return {
    stride: 29,
    open: () => WorkerPlace.open(worker, name),
    async remove() {
      await (await WorkerPlace.open(worker, name)).destroy();
      worker.terminate();
    },
  };
}

placeSuite('OPFS', opfsFixture);
logSuite('OPFS', opfsFixture);
