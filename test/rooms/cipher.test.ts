import { afterEach, expect, test, vi } from 'vitest';
import { RoomKeys } from '../../src/rooms/keys.ts';
import { portableCipher } from '../../src/rooms/portable-cipher.ts';
import { webCipher } from '../../src/rooms/web-cipher.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const master = bytes('a secret of the room');
const infos = { seal: bytes('for envelopes'), prove: bytes('for proofs') };
const nonce = { iv: bytes('twelve bytes'), additionalData: bytes('the room') };

afterEach(() => {
  vi.unstubAllGlobals();
});

test('with and without WebCrypto the same keys make the same bytes', async () => {
  const web = await webCipher.derive(master, infos);
  const portable = await portableCipher.derive(master, infos);
  for (const plain of [bytes(''), bytes('an offer'), new Uint8Array(5000).fill(7)]) {
    const sealed = await web.seal(plain, nonce);
    expect(await portable.seal(plain, nonce)).toEqual(sealed);
    expect(await portable.open(sealed, nonce)).toEqual(plain);
    expect(await portable.sign(plain)).toEqual(await web.sign(plain));
  }
  const [salt, passphrase] = [bytes('salt'), bytes('a passphrase')];
  expect(await portableCipher.stretch(passphrase, salt, 1000)).toEqual(
    await webCipher.stretch(passphrase, salt, 1000),
  );
});

test('neither opens or believes what was changed', async () => {
  for (const suite of [webCipher, portableCipher]) {
    const cipher = await suite.derive(master, infos);
    const sealed = await cipher.seal(bytes('an offer'), nonce);
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.slice();
      changed[at]! ^= 1;
      await expect(cipher.open(changed, nonce)).rejects.toThrow();
    }
    await expect(cipher.open(sealed, { ...nonce, iv: bytes('twelve other') })).rejects.toThrow();
    const mac = await cipher.sign(bytes('hello'));
    expect(await cipher.verify(mac, bytes('hello'))).toBe(true);
    expect(await cipher.verify(mac, bytes('hallo'))).toBe(false);
    expect(await cipher.verify(mac.slice(1), bytes('hello'))).toBe(false);
  }
});

test('a page without WebCrypto is a member of the same room', async () => {
  const alice = await RoomKeys.derive('garden', 'a passphrase');
  vi.stubGlobal('crypto', {
    getRandomValues: crypto.getRandomValues.bind(crypto),
    subtle: undefined,
  });
  const bob = await RoomKeys.derive('garden', 'a passphrase');
  vi.unstubAllGlobals();
  expect(bob.id).toBe(alice.id);
  expect(await bob.open(await alice.seal(bytes('an offer')))).toEqual(bytes('an offer'));
  expect(await bob.verify(await alice.prove(['a']), ['a'])).toBe(true);
});
