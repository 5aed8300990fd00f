import { encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import type { RoomWord } from '../../signaling/broker.ts';
import { parseRoomWord } from '../../signaling/broker-words.ts';
import {
  type ClientMessage,
  parseClientMessage,
  parseServerMessage,
  type ServerMessage,
} from '../../signaling/messages.ts';
import { blockOf, MAX_BLOCK_BYTES, verifyBlock } from '../../src/blocks.ts';
import { compareBytes, equalBytes } from '../../src/bytes.ts';
import { CarReader } from '../../src/car/reader.ts';
import { carFrames, carHeader } from '../../src/car/writer.ts';
import { CborCursor } from '../../src/cbor.ts';
import { readCommit } from '../../src/ledger/commit.ts';
import { CausalContext } from '../../src/ledger/context.ts';
import { readWriting } from '../../src/ledger/page-writing.ts';
import {
  encodeRoot,
  PageWriter,
  readPage,
  readRoot,
  type Version,
} from '../../src/ledger/snapshot.ts';
import { packCids } from '../../src/protocol/diff/list.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/protocol/messages.ts';
import type { Card } from '../../src/rooms/card.ts';
import { decodeEnvelope, encodeEnvelope, type Envelope } from '../../src/rooms/envelope.ts';
import {
  decodeMemberMessage,
  encodeMemberMessage,
  type MemberMessage,
} from '../../src/rooms/member-messages.ts';
import { Negotiation, type TrickleSignal } from '../../src/transports/negotiation.ts';
import { decodeSignal, encodeSignal, type Signal } from '../../src/transports/signal.ts';
import { packSdp, unpackSdp } from '../../src/transports/short-sdp.ts';
import { commitBlock, deleteOf, putOf } from '../ledger/commits.ts';
import { helloOf } from '../protocol/wire.ts';
import type { Random } from '../support/random.ts';

/** Something that reads bytes of strangers. */
export interface Decoder {
  readonly name: string;
  /** Good bytes, which are changed then. */
  readonly samples: readonly Uint8Array[];
  /** The names of the errors that it may throw. */
  readonly errors: readonly string[];
  /** What it may allocate beside a few times what it reads: the largest thing that it gathers. */
  readonly gathersBytes: number;
  /** Reads, and checks what comes of it. */
  read(bytes: Uint8Array, random: Random): void;
  /** Of what could be read: writes it again, which may begin a buffer that small encodings share. */
  writeAgain?(bytes: Uint8Array): void;
}

const cid = (n: number): CID => blockOf(encode(n)).cid;
const rawCid = CID.createV1(0x55, cid(1).multihash);

const MEMBER = 'm'.repeat(22);

const CLIENT_MESSAGES: readonly ClientMessage[] = [
  { type: 'join', room: 'room', proof: 'p'.repeat(43) },
  { type: 'join', room: 'room', proof: 'p'.repeat(43), token: 'a token' },
  { type: 'leave', room: 'room' },
  { type: 'send', room: 'room', to: MEMBER, data: 'AAECAwQ' },
  { type: 'ping' },
];

const CARD: Card = { id: MEMBER, replica: 'r', startedAt: 1, access: 'read', info: '{}' };

const ENVELOPES: readonly Envelope[] = [
  { type: 'knock', card: CARD, nonce: 'n' },
  { type: 'here', card: CARD, to: MEMBER, echo: 'n', nonce: '' },
  { type: 'bye', from: MEMBER },
  ...[
    { kind: 'call' as const, lost: 3 },
    { kind: 'signal' as const, attempt: 3, signal: { number: 0, text: '{"type":"offer"}' } },
    { kind: 'over' as const, attempt: 3, reason: 'full' as const },
  ].map((body) => ({ type: 'said' as const, from: MEMBER, to: MEMBER, number: 1, body })),
];

const MEMBER_MESSAGES: readonly MemberMessage[] = [
  { kind: 'beat', at: 1, echo: 0.5, heldMs: 3, wanted: true },
  { kind: 'beacon', card: CARD, number: 1, links: [MEMBER, MEMBER] },
  { kind: 'presence', from: MEMBER, number: 1, value: encode({ x: 1 }), settled: false },
  { kind: 'presence', from: MEMBER, number: 1, value: undefined, settled: true },
  { kind: 'event', from: MEMBER, number: 1, value: encode('hi') },
  { kind: 'leaving', from: MEMBER },
  { kind: 'relay', from: MEMBER, to: MEMBER, data: 'AAEC' },
];

const ROOM_WORDS: readonly RoomWord[] = [
  { type: 'entered', server: MEMBER, member: MEMBER, at: 1_700_000_000_000_000 },
  { type: 'left', server: MEMBER, member: MEMBER },
  { type: 'message', server: MEMBER, from: MEMBER, to: MEMBER, data: 'AAECAwQ' },
  { type: 'who', server: MEMBER },
  { type: 'here', server: MEMBER, members: [[MEMBER, 1_700_000_000_000_000]] },
];

const SERVER_MESSAGES: readonly ServerMessage[] = [
  { type: 'welcome', maxMessageBytes: 65_536, roomsPerSocket: 32 },
  {
    type: 'joined',
    room: 'room',
    member: MEMBER,
    members: ['n'.repeat(22)],
    iceServers: [
      { urls: ['stun:stun.example:3478'] },
      { urls: ['turn:turn.example:3478'], username: '1:m', credential: 'c' },
    ],
    iceTtlSeconds: 3600,
  },
  { type: 'entered', room: 'room', member: MEMBER },
  { type: 'left', room: 'room', member: MEMBER },
  { type: 'message', room: 'room', from: MEMBER, data: 'AAECAwQ' },
  { type: 'error', code: 'no-such-member', message: 'gone', room: 'room', to: MEMBER },
  { type: 'drain', retryMs: 2000 },
  { type: 'pong' },
];

const MESSAGES: readonly Message[] = [
  helloOf(),
  helloOf({ heads: [cid(1), rawCid, cid(2)], blockCount: 7, replicaId: Uint8Array.of(1, 2, 3) }),
  { kind: 'known' },
  { kind: 'unknown', size: 7, counts: Uint8Array.of(1, 2) },
  {
    kind: 'symbols',
    salt: new Uint8Array(8),
    first: 0,
    end: 3,
    size: 100,
    cells: Uint8Array.from({ length: 70 }, (_, i) => i),
  },
  { kind: 'more', end: 300 },
  { kind: 'want', keys: Uint8Array.from({ length: 32 }, (_, i) => i), last: true },
  { kind: 'have', list: packCids([cid(1), rawCid, cid(3)]), last: false },
  { kind: 'packed', length: 3, bytes: Uint8Array.of(0x4b, 0x4c, 0x4a, 0x06, 0x00) },
  { kind: 'pages', list: packCids([cid(1), cid(3)]), last: true },
  { kind: 'hold' },
  { kind: 'go', cids: [cid(1), rawCid] },
  { kind: 'announce', keys: new Uint8Array(32).fill(4) },
  { kind: 'held', count: 7, again: new Uint8Array(16).fill(5) },
  { kind: 'fetch', keys: new Uint8Array(16).fill(6) },
  { kind: 'context', bytes: Uint8Array.of(0x80), last: true },
  helloOf({ history: 'full-pruned' }),
  { kind: 'expect', blocks: 7, bytes: 2 ** 33 },
  { kind: 'car', bytes: Uint8Array.of(1, 2, 3) },
  { kind: 'done' },
  { kind: 'stored', bytes: Number.MAX_SAFE_INTEGER },
  { kind: 'abort', reason: 'bad-block', text: 'it was äöü' },
  { kind: 'bye' },
];

const first = commitBlock({
  timeMs: 1000,
  operations: [putOf('a', { n: 1, text: 'é'.repeat(40) })],
});
const COMMITS = [
  first,
  commitBlock({
    parents: [first.cid],
    timeMs: 2000,
    operations: [
      [...putOf('a', { n: -2.5, list: [1, { deep: null }] }, [first.cid]), ['text']],
      deleteOf('b'),
      putOf('c', { big: 2n ** 60n, link: rawCid, bytes: new Uint8Array(30), yes: true }),
    ],
  }),
];

const CONTEXT = new CausalContext();
for (const [writer, sequence] of [
  [1, 7],
  [2, 300],
] as const) {
  CONTEXT.add({ writer: new Uint8Array(12).fill(writer), sequence });
}

/** Written by three commits of two writers. */
const VERSIONS: readonly Version[] = [1, 2, 3].map((n) => ({
  digest: cid(n).multihash.digest,
  time: 256_000 * n,
  writer: new Uint8Array(12).fill(1 + (n % 2)),
  sequence: n,
}));

function samplePage(): Uint8Array {
  const pages = new PageWriter((commit) => VERSIONS[commit]!);
  const heads = [{ commit: 0, deleted: false }];
  const set = encode({ n: 1, text: 'é'.repeat(20) });
  pages.add({ id: 'a', heads, writings: [{ commit: 0, set, unset: [] }] });
  pages.add({
    id: 'b',
    heads: [...heads, { commit: 1, deleted: true }],
    writings: [
      { commit: 2, set: encode({ x: [1, { deep: null }] }), unset: ['gone'] },
      { commit: 0, set: encode({ y: 2n ** 60n }), unset: [] },
    ],
  });
  pages.add({ id: 'c', heads, writings: [] });
  return pages.end()!.bytes;
}

const SIGNALS: readonly Signal[] = (['offer', 'answer'] as const).map((type) => ({
  type,
  sdp: sdpOf(type === 'offer' ? 'actpass' : 'active'),
}));

/** Each format that strangers' bytes come in. A new one becomes part of the test by one entry here. */
const LINK_SIGNALS: readonly TrickleSignal[] = [
  { type: 'offer', sdp: SIGNALS[0]!.sdp },
  { type: 'answer', sdp: SIGNALS[0]!.sdp, to: 0 },
  {
    type: 'candidate',
    candidate: 'candidate:1 1 udp 2122194687 192.0.2.2 39186 typ host generation 1 ufrag r1r+',
    ufrag: 'r1r+',
  },
  { type: 'restart' },
];

export const DECODERS: readonly Decoder[] = [
  {
    name: 'messages of the native form',
    samples: MESSAGES.map(encodeMessage),
    errors: ['ProtocolError'],
    gathersBytes: 0,
    read(bytes) {
      decodeMessage(bytes);
    },
    writeAgain(bytes) {
      const message = decodeMessage(bytes);
      const again = decodeMessage(encodeMessage(message));
      if (JSON.stringify(again) !== JSON.stringify(message)) throw new Error('not the same again');
    },
  },
  {
    name: 'a CAR in pieces',
    samples: [
      carFrames(COMMITS, carHeader([COMMITS[1]!.cid])),
      carFrames([...COMMITS, blockOf(encode('x'.repeat(3000)))], carHeader([])),
    ],
    errors: ['BlockError'],
    gathersBytes: MAX_BLOCK_BYTES + 65_536,
    read(bytes, random) {
      const reader = new CarReader();
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + random.below(200);
        for (const block of reader.push(bytes.subarray(at, end))) verifyBlock(block);
        at = end;
      }
      reader.end();
    },
  },
  {
    name: 'commits',
    samples: COMMITS.map(({ bytes }) => bytes),
    errors: ['BlockError'],
    gathersBytes: 0,
    read(bytes) {
      readCommit(bytes);
    },
  },
  {
    name: 'contexts',
    samples: [CONTEXT.encode()],
    errors: ['BlockError'],
    gathersBytes: 0,
    read(bytes) {
      CausalContext.decode(bytes);
    },
    writeAgain(bytes) {
      const context = CausalContext.decode(bytes);
      if (!equalBytes(context.encode(), bytes)) throw new Error('not the same again');
    },
  },
  {
    name: 'pages of snapshots',
    samples: [samplePage()],
    errors: ['BlockError'],
    gathersBytes: 0,
    read(bytes) {
      for (const { only, writings } of readPage(bytes).entries) {
        for (const { at } of only === undefined ? writings : [only]) readWriting(bytes, at);
      }
    },
  },
  {
    name: 'roots of snapshots',
    samples: [
      encodeRoot(
        CONTEXT,
        [...VERSIONS].sort((a, b) => compareBytes(a.digest, b.digest)),
        [cid(1), cid(2)],
      ).bytes,
    ],
    errors: ['BlockError'],
    gathersBytes: 0,
    read(bytes) {
      readRoot(bytes);
    },
  },
  {
    name: 'values of documents',
    samples: COMMITS.map(({ bytes }) => bytes),
    errors: ['BlockError'],
    gathersBytes: 0,
    read(bytes) {
      const checked = new CborCursor(bytes);
      checked.skip();
      const cursor = new CborCursor(bytes);
      const value = cursor.readValue();
      if (cursor.at !== checked.at) throw new Error('reading and skipping end at different places');
      const again = encode(value);
      if (Buffer.compare(again, bytes.subarray(0, cursor.at)) !== 0)
        throw new Error('not canonical');
    },
  },
  {
    name: 'signals',
    samples: SIGNALS.flatMap((signal) => [
      Buffer.from(encodeSignal(signal, 'short')),
      Buffer.from(encodeSignal(signal, 'original')),
    ]),
    errors: ['SignalError'],
    gathersBytes: 0,
    read(bytes, random) {
      const text = Buffer.from(bytes).toString(random.oneIn(2) ? 'latin1' : 'utf8');
      const { form, sdp } = decodeSignal(text);
      if (form === 'short') checkSdp(sdp);
    },
  },
  {
    name: 'messages of clients to the signaling server',
    samples: CLIENT_MESSAGES.map((message) => Buffer.from(JSON.stringify(message))),
    errors: [],
    gathersBytes: 0,
    read(bytes) {
      const message = parseClientMessage(Buffer.from(bytes).toString());
      if (!('malformed' in message)) checkAgain(message, parseClientMessage);
    },
  },
  {
    name: 'messages of the signaling server',
    samples: SERVER_MESSAGES.map((message) => Buffer.from(JSON.stringify(message))),
    errors: [],
    gathersBytes: 0,
    read(bytes) {
      const message = parseServerMessage(Buffer.from(bytes).toString());
      if (message !== undefined) checkAgain(message, parseServerMessage);
    },
  },
  {
    name: 'envelopes of members',
    samples: ENVELOPES.map(encodeEnvelope),
    errors: [],
    gathersBytes: 0,
    read(bytes) {
      const envelope = decodeEnvelope(bytes);
      if (envelope === undefined) return;
      checkAgain(envelope, (text) => decodeEnvelope(Buffer.from(text)));
    },
  },
  {
    name: 'what members say beside their session',
    samples: MEMBER_MESSAGES.map(encodeMemberMessage),
    errors: ['ProtocolError'],
    // Encoding takes its buffers from Node's pool.
    gathersBytes: 64 * 1024,
    read(bytes) {
      const again = encodeMemberMessage(decodeMemberMessage(bytes));
      if (!equalBytes(encodeMemberMessage(decodeMemberMessage(again)), again)) {
        throw new Error('read differently');
      }
    },
  },
  {
    name: 'words of signaling servers about a room',
    samples: ROOM_WORDS.map((word) => Buffer.from(JSON.stringify(word))),
    errors: [],
    gathersBytes: 0,
    read(bytes) {
      const parse = (text: string): RoomWord | undefined =>
        parseRoomWord(text, { maxDataCharacters: 65_536, nowMs: Date.now() });
      const word = parse(Buffer.from(bytes).toString());
      if (word !== undefined) checkAgain(word, parse);
    },
  },
  {
    name: 'short signals whose checksum is right',
    samples: SIGNALS.map((signal) => packSdp(signal)!),
    errors: ['SignalError'],
    gathersBytes: 0,
    read(bytes) {
      checkSdp(unpackSdp(bytes).sdp);
    },
  },
  {
    name: 'signals of a link',
    samples: LINK_SIGNALS.map((signal) => Buffer.from(JSON.stringify(signal))),
    errors: ['SignalError'],
    gathersBytes: 4096,
    read(bytes, random) {
      const negotiation = new Negotiation(random.oneIn(2));
      negotiation.say({ type: 'offer', sdp: SIGNALS[0]!.sdp });
      const text = Buffer.from(bytes).toString();
      const steps = negotiation.hear({ number: random.below(3), text });
      for (const step of steps) {
        const lines = 'sdp' in step ? step.sdp.match(/^m=.*$/gm)! : ['m=application none'];
        if (lines.length !== 1 || !lines[0]!.startsWith('m=application ')) {
          throw new Error(`not one data channel: ${lines.join()}`);
        }
        if (step.do === 'add' && /[^ -~]/.test(step.candidate)) throw new Error('two lines in one');
      }
    },
  },
];

/** What was read is a message that is read the same again, and has no field of a stranger's making. */
function checkAgain<T extends { readonly type: string }>(
  message: T,
  parse: (text: string) => object | undefined,
): void {
  const again = JSON.stringify(parse(JSON.stringify(message)));
  if (again !== JSON.stringify(message)) throw new Error(`not the same again: ${again}`);
}

/** A description that was unpacked has the lines of the template and no other. */
function checkSdp(sdp: string): void {
  const [session, ...media] = sdp.split('m=application ');
  const line =
    /^(9 UDP\/DTLS\/SCTP webrtc-datachannel|c=IN IP4 0\.0\.0\.0|a=candidate:\d+ 1 udp \d+ [0-9a-f.:-]+(\.local)? \d+ typ (host|srflx raddr 0\.0\.0\.0 rport 0|relay raddr 0\.0\.0\.0 rport 0)|a=ice-(ufrag|pwd):[A-Za-z0-9+/]+|a=fingerprint:sha-256 [0-9A-F:]{95}|a=setup:(actpass|active|passive)|a=mid:0|a=sctp-port:5000|a=max-message-size:\d+|)$/;
  const wrong = media
    .join('')
    .split('\r\n')
    .find((each) => !line.test(each));
  if (media.length !== 1 || wrong !== undefined || !session!.startsWith('v=0\r\no=- 1 2 ')) {
    throw new Error(`a line that was smuggled in: ${wrong}`);
  }
}

function sdpOf(setup: string): string {
  const fingerprint = Array.from({ length: 32 }, (_, i) => (i + 16).toString(16).toUpperCase());
  return [
    'v=0',
    'o=- 1 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=candidate:1 1 udp 2130706431 192.168.1.2 50000 typ host',
    'a=candidate:2 1 udp 2130706175 0f2d0cbf-5e5c-4d1a-9c0e-8f8f6d6a3b21.local 50001 typ host',
    'a=candidate:3 1 udp 1694498815 2001:db8::5 50002 typ srflx raddr 0.0.0.0 rport 0',
    'a=ice-ufrag:Ab3+',
    'a=ice-pwd:/h4Q+wDi6WzPldr6waUuTUNN',
    `a=fingerprint:sha-256 ${fingerprint.join(':')}`,
    `a=setup:${setup}`,
    'a=mid:0',
    'a=sctp-port:5000',
    'a=max-message-size:262144',
    '',
  ].join('\r\n');
}
