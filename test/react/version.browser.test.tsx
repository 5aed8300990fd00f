import { version } from 'react';
import { version as versionOfDom } from 'react-dom';
import { expect, it } from 'vitest';

type Meta = ImportMeta & { readonly env: { readonly EMBERLINK_REACT?: string } };

it('the React that runs is the one that these tests are for', () => {
  const major = (import.meta as Meta).env.EMBERLINK_REACT ?? '19';
  const wanted: unknown = expect.stringMatching(`^${major}\\.`);
  expect([version, versionOfDom]).toEqual([wanted, wanted]);
});
