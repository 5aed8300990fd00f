import { expect, test } from 'vitest';
import { RoomError } from '../../src/errors.ts';
import { RoomKeys } from '../../src/rooms/keys.ts';
import { roomId } from '../../src/rooms/room-id.ts';
import { createRoomSecret } from '../../src/rooms/room-secret.ts';

const plain = new TextEncoder().encode('an offer');

test('what one member seals, another one with the same name and secret opens', async () => {
  for (const secret of [undefined, 'a passphrase', createRoomSecret(), new Uint8Array(16)]) {
    const alice = await RoomKeys.derive('garden', secret);
    const bob = await RoomKeys.derive('garden', secret);
    expect(await bob.open(await alice.seal(plain))).toEqual(plain);
    expect(await bob.verify(await alice.prove(['a', plain]), ['a', plain])).toBe(true);
  }
});

test('another secret, another name and a changed envelope open nothing', async () => {
  const secret = createRoomSecret();
  const alice = await RoomKeys.derive('garden', secret);
  const sealed = await alice.seal(plain);
  for (const keys of [
    await RoomKeys.derive('garden', createRoomSecret()),
    await RoomKeys.derive('garden'),
    await RoomKeys.derive('orchard', secret),
  ]) {
    expect(await keys.open(sealed)).toBeUndefined();
    expect(await keys.verify(await alice.prove(['a']), ['a'])).toBe(false);
  }
  for (let at = 0; at < sealed.length; at += 7) {
    const other = sealed[at] === 'A' ? 'B' : 'A';
    expect(await alice.open(sealed.slice(0, at) + other + sealed.slice(at + 1))).toBeUndefined();
    expect(await alice.open(sealed.slice(0, at))).toBeUndefined();
  }
  expect(await alice.open('!')).toBeUndefined();
});

test('parts of a proof are told apart, and an envelope is never the same twice', async () => {
  const keys = await RoomKeys.derive('garden', createRoomSecret());
  expect(await keys.verify(await keys.prove(['ab', 'c']), ['a', 'bc'])).toBe(false);
  expect(await keys.seal(plain)).not.toBe(await keys.seal(plain));
});

test('the server is told a hash of the name, the same for every way to write it', async () => {
  expect(await roomId('café')).toBe(await roomId('cafe\u0301'));
  expect(await roomId('garden')).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(await roomId('garden')).not.toBe(await roomId('Garden'));
});

test('names and secrets out of bounds are refused', async () => {
  for (const room of ['', 'x'.repeat(257)]) {
    await expect(RoomKeys.derive(room, 'secret')).rejects.toThrow(RoomError);
  }
  for (const secret of ['', new Uint8Array(15)]) {
    await expect(RoomKeys.derive('garden', secret)).rejects.toThrow(/secret/);
  }
});
