import { encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { expect, test } from 'vitest';
import { blockOf, cidOfDigest, SHA2_256_CODE } from '../../src/blocks.ts';
import { CidSet, packCids, unpackCids } from '../../src/protocol/diff/list.ts';
import {
  decodeMessage,
  encodeMessage,
  MAX_ABORT_TEXT,
  type Message,
} from '../../src/protocol/messages.ts';
import { helloOf } from './wire.ts';

const common = (i: number): CID => blockOf(encode(i)).cid;
const rawOf = (cid: CID): CID => CID.createV1(0x55, cid.multihash);
const oldOf = (cid: CID): CID => CID.createV0(createDigest(SHA2_256_CODE, cid.multihash.digest));

const messages: Message[] = [
  helloOf(),
  helloOf({
    heads: [common(1), rawOf(common(2))],
    headsTruncated: true,
    blockCount: 2 ** 40,
    replicaId: Uint8Array.of(1, 2, 3),
  }),
  { kind: 'known' },
  { kind: 'unknown', size: 7, counts: Uint8Array.of(1, 2) },
  { kind: 'have', list: packCids([common(1), common(2), oldOf(common(3))]), last: true },
  { kind: 'expect', blocks: 7, bytes: 2 ** 33 },
  { kind: 'car', bytes: Uint8Array.of(1, 2, 3) },
  { kind: 'done' },
  { kind: 'stored', bytes: Number.MAX_SAFE_INTEGER },
  { kind: 'abort', reason: 'bad-block', text: 'it was äöü' },
  { kind: 'bye' },
  {
    kind: 'symbols',
    salt: new Uint8Array(8).fill(9),
    first: 10,
    end: 2 ** 33,
    size: 5,
    cells: Uint8Array.of(1, 2),
  },
  { kind: 'more', end: 77 },
  { kind: 'want', keys: new Uint8Array(48).fill(3), last: false },
  { kind: 'hold' },
  { kind: 'go', cids: [common(1), rawOf(common(2))] },
  { kind: 'announce', keys: new Uint8Array(32).fill(4) },
  { kind: 'held', count: 2 ** 40, again: new Uint8Array(16).fill(5) },
  { kind: 'fetch', keys: new Uint8Array(16).fill(6) },
];

for (const message of messages) {
  test(`${message.kind} comes back from its frame as it was`, () => {
    const { kind: _, ...before } = message;
    const { kind, ...after } = decodeMessage(encodeMessage(message));
    expect(kind).toBe(message.kind);
    expect(JSON.stringify(after)).toBe(JSON.stringify(before));
  });

  test(`${message.kind}, cut anywhere, is an error or another message, never a crash`, () => {
    const frame = encodeMessage(message);
    for (let length = 0; length < frame.length; length++) {
      try {
        decodeMessage(frame.subarray(0, length));
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProtocolError' });
      }
    }
  });
}

test('no frame begins like JSON, so the two wire forms cannot be confused', () => {
  for (const message of messages) expect(encodeMessage(message)[0]).toBeLessThan(0x20);
});

test('the text of an abort is cut', () => {
  const frame = encodeMessage({ kind: 'abort', reason: 'bad-block', text: 'x'.repeat(9999) });
  expect(decodeMessage(frame)).toMatchObject({ text: 'x'.repeat(MAX_ABORT_TEXT) });
});

test('a list of common CIDs takes 32 bytes each', () => {
  const cids = Array.from({ length: 1000 }, (_, i) => common(i));
  const frame = encodeMessage({ kind: 'have', list: packCids(cids), last: false });
  expect(frame.length).toBeLessThan(32 * 1000 + 16);
  expect(unpackCids(packCids(cids)).map(String)).toEqual(cids.map(String));
});

test('a set of CIDs holds what was added and nothing else', () => {
  const set = new CidSet();
  const zero = cidOfDigest(new Uint8Array(32));
  expect(set.has(zero)).toBe(false);
  const cids = [zero, ...Array.from({ length: 5000 }, (_, i) => common(i))];
  for (const cid of cids) set.add(cid);
  set.addList(packCids(cids));
  set.add(rawOf(common(6000)));
  set.add(oldOf(common(6001)));
  expect(set.size).toBe(5003);
  expect(cids.every((cid) => set.has(cid))).toBe(true);
  expect(set.has(rawOf(common(6000)))).toBe(true);
  expect(set.has(oldOf(common(6001)))).toBe(true);
  for (const other of [common(6000), oldOf(common(6000)), rawOf(common(1)), common(7000)]) {
    expect(set.has(other)).toBe(false);
  }
});
