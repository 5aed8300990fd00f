/** Side of the picture, in pixels. */
export const NOISE_PX = 256;

/** Four kinds of clouds that repeat without a seam: fine ones, wide ones, veins and grain. */
export function paintNoise(): Uint8Array {
  const fine = mixed([cloud(24), cloud(48), cloud(96)]);
  const wide = mixed([cloud(8), cloud(16), cloud(32)]);
  const [a, b] = [cloud(20), cloud(44)];
  const veins = a.map((value, i) => ridge(value) * 0.65 + ridge(b[i]!) * 0.35);
  const grain = cloud(128);
  const pixels = new Uint8Array(4 * NOISE_PX * NOISE_PX);
  [fine, wide, veins, grain].forEach((channel, offset) => {
    channel.forEach((value, i) => (pixels[4 * i + offset] = 255 * Math.min(1, Math.max(0, value))));
  });
  return pixels;
}

function ridge(value: number): number {
  return (1 - Math.abs(2 * value - 1)) ** 6;
}

/** Each half as strong as the one before it, with the contrast that sums lose. */
function mixed(clouds: readonly Float32Array[]): Float32Array {
  const [first] = clouds;
  return first!.map((_, i) => {
    let sum = 0;
    let share = 0.57;
    for (const each of clouds) {
      sum += each[i]! * share;
      share /= 2;
    }
    return 0.5 + (sum - 0.5) * 1.5;
  });
}

/** Smooth between random values, so many along each side. */
function cloud(knots: number): Float32Array {
  const values = Float32Array.from({ length: knots * knots }, () => Math.random());
  const cloudy = new Float32Array(NOISE_PX * NOISE_PX);
  for (let y = 0; y < NOISE_PX; y++) {
    const v = (y * knots) / NOISE_PX;
    const top = Math.floor(v);
    const down = smooth(v - top);
    for (let x = 0; x < NOISE_PX; x++) {
      const u = (x * knots) / NOISE_PX;
      const left = Math.floor(u);
      const across = smooth(u - left);
      const at = (dx: number, dy: number): number =>
        values[((top + dy) % knots) * knots + ((left + dx) % knots)]!;
      const upper = at(0, 0) + (at(1, 0) - at(0, 0)) * across;
      const lower = at(0, 1) + (at(1, 1) - at(0, 1)) * across;
      cloudy[y * NOISE_PX + x] = upper + (lower - upper) * down;
    }
  }
  return cloudy;
}

function smooth(share: number): number {
  return share * share * (3 - 2 * share);
}
