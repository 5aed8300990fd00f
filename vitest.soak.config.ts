import { defineConfig } from 'vitest/config';
import base, { nodeTests } from './vitest.config.ts';

/** The tests that have counts, with larger ones; each count can be set from outside. */
const counts = {
  EMBERLINK_HISTORIES: '30000',
  EMBERLINK_PRUNED_HISTORIES: '10000',
  EMBERLINK_SIMULATIONS: '50000',
  EMBERLINK_MESHES: '500',
  EMBERLINK_TAB_RUNS: '1000',
  EMBERLINK_KILLS: '1500',
  EMBERLINK_FUZZ_RUNS: '10000',
  EMBERLINK_CBOR_RUNS: '200000',
  EMBERLINK_LINK_SEEDS: '200',
  EMBERLINK_HOSTILE_SERVERS: '100',
  EMBERLINK_MEMORY_TEST_BYTES: '1000000000',
  EMBERLINK_PASTE_SECONDS: '180',
  EMBERLINK_ROOM_SECONDS: '60',
};

const files = [
  'ledger/convergence',
  'ledger/snapshot',
  'fuzz/decoders',
  'fuzz/folder',
  'fuzz/liar',
  'simulation/simulation',
  'tabs/random',
  'protocol/mesh',
  'ledger/kill',
  'ledger/hostile',
  'cbor',
  'rooms/webrtc-linker',
  'rooms/memory-linker',
  'rooms/hostile-server',
  'sync/two-processes',
  'transports/patience',
  'rooms/webrtc',
];

export default defineConfig({
  resolve: base.resolve,
  test: {
    ...nodeTests,
    include: files.map((name) => `test/${name}.test.ts`),
    env: { ...counts, ...given(Object.keys(counts)) },
    testTimeout: 3_600_000,
  },
});

function given(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
