import { describe, expect, test } from 'vitest';
import { forSeeds, setting } from '../support/random.ts';
import { allocatedBy } from './allocated.ts';
import { DECODERS } from './decoders.ts';
import { mutated } from './mutate.ts';

const ROUNDS = 20 * setting('EMBERLINK_FUZZ_RUNS', 300);

describe('random bytes, and good ones that were changed, are a value or a named error', () => {
  test.each(DECODERS)(
    '$name',
    async (decoder) => {
      const { samples, errors, gathersBytes } = decoder;
      let refused = 0;
      await forSeeds(ROUNDS, (random) => {
        const bytes = mutated(random, samples);
        const { result: error, bytes: allocated } = allocatedBy(() => {
          try {
            decoder.read(bytes, random);
            return undefined;
          } catch (thrown) {
            return thrown;
          }
        });
        if (error !== undefined) {
          refused++;
          if (!errors.includes((error as Error).name)) throw error;
        } else decoder.writeAgain?.(bytes);
        expect(allocated).toBeLessThanOrEqual(gathersBytes + 20 * bytes.length + 4096);
      });
      if (errors.length > 0) expect(refused).toBeGreaterThan(ROUNDS / 10);
    },
    60_000 + ROUNDS * 50,
  );
});
