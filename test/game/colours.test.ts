import { expect, test } from 'vitest';
import { COLOURS, freeColour } from '../../demo-game/colours.ts';

type Triple = readonly [number, number, number];

/** Machado, Oliveira and Fernandes (2009), of full strength, for linear RGB. */
const SIGHTS: Readonly<Record<string, readonly [Triple, Triple, Triple]>> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linear(value: string): Triple {
  const channel = (at: number): number => {
    const part = Number.parseInt(value.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function times([r, g, b]: Triple, rows: readonly [Triple, Triple, Triple]): Triple {
  return rows.map(([x, y, z]) => x * r + y * g + z * b) as unknown as Triple;
}

/** CIELAB under daylight (D65), in which distances are about as people see them. */
function lab(rgb: Triple): Triple {
  const [x, y, z] = times(rgb, [
    [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
    [0.2126729, 0.7151522, 0.072175],
    [0.0193339 / 1.08883, 0.119192 / 1.08883, 0.9503041 / 1.08883],
  ]).map((part) =>
    part > 0.008856 ? Math.cbrt(part) : 7.787 * part + 16 / 116,
  ) as unknown as Triple;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function seen(value: string, sight: readonly [Triple, Triple, Triple]): Triple {
  const rgb = times(linear(value), sight).map((part) => Math.min(1, Math.max(0, part)));
  return lab(rgb as unknown as Triple);
}

test.each(Object.entries(SIGHTS))(
  'no two colours are near each other for %s sight',
  (_name, sight) => {
    const points = COLOURS.map(({ value }) => seen(value, sight));
    for (const [at, [l, a, b]] of points.entries()) {
      // Bright enough to burn on a dark field.
      expect(l, COLOURS[at]!.name).toBeGreaterThan(35);
      for (const [other, [l2, a2, b2]] of points.slice(0, at).entries()) {
        const distance = Math.hypot(l - l2, a - a2, b - b2);
        // Neighbours among the eight of Okabe and Ito come as near as 16.
        expect(distance, `${COLOURS[at]!.name}, ${COLOURS[other]!.name}`).toBeGreaterThan(30);
      }
    }
  },
);

test('who wants a colour that is taken gets the next that is free', () => {
  expect(freeColour(2, new Set())).toBe(2);
  expect(freeColour(7, new Set([7, 0]))).toBe(1);
  expect(freeColour(3, new Set([0, 1, 2, 3, 4, 5, 6, 7]))).toBe(3);
});
