import { IndexedDbPlace } from '../../../src/storage/indexeddb.ts';
import { logSuite } from '../../suites/log.suite.ts';
import { type PlaceFixture, placeSuite } from '../../suites/place.suite.ts';

async function indexedDbFixture(): Promise<PlaceFixture> {
  const name = crypto.randomUUID();
  return {
    stride: 13,
    open: () => IndexedDbPlace.open(name),
    remove: async () => (await IndexedDbPlace.open(name)).destroy(),
  };
}

placeSuite('IndexedDB', indexedDbFixture);
logSuite('IndexedDB', indexedDbFixture);
