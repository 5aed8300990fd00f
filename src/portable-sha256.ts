/** The first 32 bits of the fractions of the cube roots of the first 64 primes. */
// prettier-ignore
const CONSTANTS = Int32Array.of(
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
);

/** Of the square roots of the first 8 primes. */
const START = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

const CHUNK_BYTES = 64;

// Used again by each call, which leaves nothing in them that another one reads.
const state = new Int32Array(8);
const schedule = new Int32Array(64);
const end = new Uint8Array(2 * CHUNK_BYTES);
const endView = new DataView(end.buffer);

/** SHA-256 (FIPS 180-4) in one call. */
export function portableSha256(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const rest = length % CHUNK_BYTES;
  state.set(START);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  for (let at = 0; at < length - rest; at += CHUNK_BYTES) addChunk(view, at);
  // What is left, a bit, zeros, and the length in bits as a number of 64.
  const endLength = rest + 9 > CHUNK_BYTES ? 2 * CHUNK_BYTES : CHUNK_BYTES;
  end.fill(0);
  end.set(bytes.subarray(length - rest));
  end[rest] = 0x80;
  endView.setUint32(endLength - 8, length / 2 ** 29);
  endView.setUint32(endLength - 4, length * 8);
  for (let at = 0; at < endLength; at += CHUNK_BYTES) addChunk(endView, at);

  const digest = new Uint8Array(32);
  const digestView = new DataView(digest.buffer);
  for (let i = 0; i < 8; i++) digestView.setInt32(i * 4, state[i]!);
  return digest;
}

function addChunk(view: DataView, at: number): void {
  for (let i = 0; i < 16; i++) schedule[i] = view.getInt32(at + i * 4);
  for (let i = 16; i < 64; i++) {
    const early = schedule[i - 15]!;
    const late = schedule[i - 2]!;
    schedule[i] =
      schedule[i - 16]! +
      (rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3)) +
      schedule[i - 7]! +
      (rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10));
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const sumOfE = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const sumOfA = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const first = (h + sumOfE + choice + CONSTANTS[i]! + schedule[i]!) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + sumOfA + majority) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
