import { base64url } from 'multiformats/bases/base64';

const GENERATED = /^ember-([A-Za-z0-9_-]{43})$/;

/** A secret that nobody guesses: 256 random bits as a string that can be put into a link. */
export function createRoomSecret(): string {
  return `ember-${base64url.baseEncode(crypto.getRandomValues(new Uint8Array(32)))}`;
}

/** The random bits of one that was created; undefined for any other text. */
export function randomBitsOf(secret: string): Uint8Array | undefined {
  const generated = GENERATED.exec(secret)?.[1];
  return generated === undefined ? undefined : base64url.baseDecode(generated).slice();
}
