import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** The tests that have counts, with larger ones; each count can be set from outside. */
const counts = {
  EMBERLINK_HISTORIES: '30000',
  EMBERLINK_PRUNED_HISTORIES: '10000',
  EMBERLINK_SIMULATIONS: '50000',
  EMBERLINK_MESHES: '500',
  EMBERLINK_KILLS: '1500',
  EMBERLINK_FUZZ_RUNS: '10000',
  EMBERLINK_CBOR_RUNS: '200000',
  EMBERLINK_LINK_SEEDS: '200',
  EMBERLINK_HOSTILE_SERVERS: '100',
  EMBERLINK_MEMORY_TEST_BYTES: '1000000000',
  EMBERLINK_PASTE_SECONDS: '180',
  EMBERLINK_ROOM_SECONDS: '60',
};

const soak = mergeConfig(
  base,
  defineConfig({ test: { env: { ...counts, ...given(Object.keys(counts)) } } }),
);
soak.test.include = [
  'ledger/convergence',
  'ledger/snapshot',
  'fuzz/decoders',
  'fuzz/folder',
  'fuzz/liar',
  'simulation/simulation',
  'protocol/mesh',
  'ledger/kill',
  'ledger/hostile',
  'ledger/cbor',
  'rooms/webrtc-linker',
  'rooms/memory-linker',
  'rooms/hostile-server',
  'sync/two-processes',
  'transports/patience',
  'rooms/webrtc',
].map((name) => `test/${name}.test.ts`);
soak.test.testTimeout = 3_600_000;

export default soak;

function given(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
