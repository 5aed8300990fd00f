import { expect, it } from 'vitest';
import { EmberlinkError } from '../src/errors.ts';
import { loadPart } from '../src/load-part.ts';

it('loads a part once, whoever needs it', async () => {
  const loads: object[] = [];
  const part = loadPart(async () => {
    const loaded = {};
    loads.push(loaded);
    return loaded;
  }, EmberlinkError);
  expect(loads).toEqual([]);
  const [first, second] = await Promise.all([part(), part()]);
  expect(first).toBe(second);
  expect(await part()).toBe(first);
  expect(loads).toHaveLength(1);
});

it('tells all who wait that a load failed; the next call tries again', async () => {
  let isThere = false;
  const gone = new TypeError('the file is gone');
  const part = loadPart(async () => {
    if (!isThere) throw gone;
    return 'the part';
  }, EmberlinkError);
  for (const refused of [part(), part()]) {
    await expect(refused).rejects.toMatchObject({ code: 'not-loaded', cause: gone });
  }
  isThere = true;
  expect(await part()).toBe('the part');
});
