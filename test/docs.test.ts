import { existsSync, readFileSync } from 'node:fs';
import { decode } from '@ipld/dag-cbor';
import { expect, test } from 'vitest';
import type { RoomWord, ServerWord } from '../signaling/broker.ts';
import { parseRoomWord, parseServerWord } from '../signaling/broker-words.ts';
import { UPGRADE_STATUS } from '../signaling/counts.ts';
import {
  type ClientMessage,
  CLOSE_CODES,
  parseClientMessage,
  parseServerMessage,
  type ServerMessage,
  SIGNALING_PROTOCOL,
} from '../signaling/messages.ts';
import {
  defaultOf,
  flagOf,
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  variableOf,
} from '../signaling/settings.ts';
import { MAX_BLOCK_BYTES } from '../src/blocks.ts';
import { MAX_HEADER_BYTES } from '../src/car/frame.ts';
import { MAX_VARINT_BYTES } from '../src/car/varint.ts';
import { MAX_DEPTH } from '../src/cbor.ts';
import { TICKS_PER_MS } from '../src/ledger/clock.ts';
import {
  COMMIT_VERSION,
  MAX_PARENTS,
  MAX_REPLACES,
  MAX_SEQUENCE,
  MAX_WRITER_BYTES,
  NAME_BYTES,
} from '../src/ledger/commit.ts';
import { MAX_ID_BYTES } from '../src/ledger/document.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { openLedger } from '../src/open-ledger.ts';
import { checkLedgerOptions } from '../src/ledger/options.ts';
import { PAGE_MAX_BYTES, PAGE_MEAN_BYTES, PAGE_MIN_BYTES } from '../src/ledger/page-size.ts';
import { TARGET_COMMIT_BYTES } from '../src/ledger/transaction.ts';
import { MAX_ANNOUNCED } from '../src/protocol/announcer.ts';
import { LIST_BELOW_BLOCKS, MAX_SYMBOLS } from '../src/protocol/diff/difference.ts';
import { MAX_CONTEXT_BYTES } from '../src/protocol/diff/context-exchange.ts';
import { MAX_LIST_CIDS } from '../src/protocol/diff/list-exchange.ts';
import { MAX_CID_BYTES as MAX_LIST_CID_BYTES, packCids } from '../src/protocol/diff/list.ts';
import {
  ABORT_REASONS,
  decodeMessage,
  encodeMessage,
  MAX_ABORT_TEXT,
  MAX_HELLO_HEADS,
  MAX_REPLICA_ID_BYTES,
  type Message,
  MIN_FRAME_BYTES,
  MAX_PACKED_BYTES,
  MIN_WINDOW_BYTES,
  PROTOCOL_VERSION,
} from '../src/protocol/messages.ts';
import { ORIGINAL_FRAME_BYTES } from '../src/protocol/original.ts';
import { MAX_QUEUED_BLOCKS } from '../src/protocol/outbox.ts';
import { RECEIVE_WINDOW_BYTES, Session } from '../src/protocol/session.ts';
import * as hooks from '../src/react/index.ts';
import {
  admit,
  DEFAULT_HANDSHAKE_TIMEOUT_MS,
  enterRoom,
  MAX_HANDSHAKE_BYTES,
  REFUSALS,
} from '../src/rooms/handshake.ts';
import { RoomKeys } from '../src/rooms/keys.ts';
import { MAX_INFO_CHARACTERS } from '../src/rooms/card.ts';
import { decodeEnvelope, type Envelope, type Said } from '../src/rooms/envelope.ts';
import {
  decodeMemberMessage,
  encodeMemberMessage,
  MAX_BEACON_LINKS,
  type MemberMessage,
} from '../src/rooms/member-messages.ts';
import { MAX_LINE_MEMBERS, MAX_LINE_MESSAGE_BYTES } from '../src/rooms/pasted-line.ts';
import { MAX_VALUE_BYTES } from '../src/rooms/value.ts';
import { KEPT_SYMBOLS, KEY_BYTES } from '../src/sketch.ts';
import { MemoryPlace } from '../src/storage/memory.ts';
import { createMemoryChannelPair } from '../src/transports/memory.ts';
import { MAX_CANDIDATES, MAX_LINK_SIGNAL_CHARACTERS } from '../src/transports/negotiation.ts';
import { MAX_PORT_MESSAGE_BYTES } from '../src/transports/port-limits.ts';
import { MAX_SIGNAL_TEXT } from '../src/transports/signal.ts';
import { MAX_RECEIVED_FRAME_BYTES } from '../src/transports/webrtc-channel.ts';
import { DEFAULT_KEEP_ALIVE_MS, MAX_WEBSOCKET_FRAME_BYTES } from '../src/transports/websocket.ts';
import { helloOf, Tap } from './protocol/wire.ts';
import { replaceRandomValues } from './support/random-values.ts';

const protocol = read('PROTOCOL.md');
const readme = read('README.md');

// --- the tables of PROTOCOL.md ---

const samples: { [K in Message['kind']]: Extract<Message, { kind: K }> } = {
  hello: helloOf(),
  known: { kind: 'known' },
  unknown: { kind: 'unknown', size: 0, counts: new Uint8Array(0) },
  have: { kind: 'have', list: packCids([]), last: true },
  expect: { kind: 'expect', blocks: 1, bytes: 2 },
  car: { kind: 'car', bytes: Uint8Array.of(1, 2, 3) },
  done: { kind: 'done' },
  stored: { kind: 'stored', bytes: 1 },
  abort: { kind: 'abort', reason: 'bad-block', text: '' },
  bye: { kind: 'bye' },
  symbols: {
    kind: 'symbols',
    salt: new Uint8Array(0),
    first: 0,
    end: 0,
    size: 0,
    cells: new Uint8Array(0),
  },
  more: { kind: 'more', end: 1 },
  want: { kind: 'want', keys: new Uint8Array(0), last: true },
  hold: { kind: 'hold' },
  go: { kind: 'go', cids: [] },
  context: { kind: 'context', bytes: Uint8Array.of(1), last: true },
  packed: { kind: 'packed', length: 1, bytes: Uint8Array.of(3, 0) },
  pages: { kind: 'pages', list: packCids([]), last: true },
  announce: { kind: 'announce', keys: new Uint8Array(16) },
  held: { kind: 'held', count: 1, again: new Uint8Array(0) },
  fetch: { kind: 'fetch', keys: new Uint8Array(16) },
};

test('the message table lists every message with its tag and its fields', () => {
  const rows = tableWith('tag');
  const told = rows.map(([tag, name, payload]) => [Number(tag), code(name), shapeOf(payload!)]);
  const sent = Object.values(samples).map((message) => {
    const frame = encodeMessage(message);
    const payload = frame.subarray(1);
    if (message.kind === 'car') return [frame[0], message.kind, 'bytes'];
    const fields = payload.length === 0 ? 0 : decode<unknown[]>(payload).length;
    return [frame[0], message.kind, fields];
  });
  expect(told).toEqual(sent);
});

test('no tag beside those of the message table is read', () => {
  const tags = tableWith('tag').map(([tag]) => Number(tag));
  const known = Array.from({ length: 256 }, (_, tag) => tag).filter((tag) => isKnown(tag));
  expect(known).toEqual(tags);
});

test('the table of abort reasons is the list of the code', () => {
  expect(tableWith('reason').map(([reason]) => code(reason))).toEqual([...ABORT_REASONS]);
});

test('the table of refusals is the list of the code', () => {
  expect(tableWith('refused').map(([reason]) => code(reason))).toEqual([...REFUSALS]);
});

test('the table of the handshake has what both sides say, field by field', async () => {
  const said: string[][] = [];
  const [left, right] = createMemoryChannelPair();
  const [server, client] = Object.entries({ server: left, client: right }).map(
    ([side, channel]) =>
      new Tap(channel, (frame) => {
        said.push([side, ...Object.keys(JSON.parse(frame as string) as object)]);
      }),
  );
  const keys = await RoomKeys.derive('garden');
  await Promise.all([
    admit(server!, { roomOf: () => ({ keys }), authorize: async () => 'write', timeoutMs: 5000 }),
    enterRoom(client!, keys, { token: 'token', timeoutMs: 5000 }),
  ]);
  const told = tableWith('handshake').map(([side, fields]) => [
    side!,
    ...Array.from(fields!.matchAll(/`(\w+)`/g), ([, field]) => field!),
  ]);
  expect(told).toEqual([...said, ['server', 'refused', 'message']]);
});

test('the versions in the first line are those of the code', () => {
  expect(protocol).toContain(
    `protocol version ${PROTOCOL_VERSION}, commit version ${COMMIT_VERSION}.`,
  );
});

const limits: Record<string, number> = {
  MAX_BLOCK_BYTES,
  MAX_HEADER_BYTES,
  MAX_VARINT_BYTES,
  MAX_SIGNAL_TEXT,
  MAX_CANDIDATES_PER_TYPE: inSource('transports/short-sdp.ts', 'MAX_CANDIDATES_PER_TYPE'),
  connectTimeoutMs: inSource('transports/webrtc.ts', 'DEFAULT_CONNECT_TIMEOUT_MS'),
  MAX_LINK_SIGNAL_CHARACTERS,
  MAX_CANDIDATES,
  RESTART_INTERVAL_MS: inSource('transports/trickle.ts', 'RESTART_INTERVAL_MS'),
  RESTART_PAUSE_MS: inSource('transports/trickle.ts', 'RESTART_PAUSE_MS'),
  MAX_DISTURBANCE_MS: inSource('transports/trickle.ts', 'MAX_DISTURBANCE_MS'),
  MAX_PORT_MESSAGE_BYTES,
  MAX_DATAGRAM_BUFFER_BYTES: inSource('rooms/webrtc-linker.ts', 'MAX_DATAGRAM_BUFFER_BYTES'),
  MAX_CONTROL_BUFFER_BYTES: inSource('rooms/webrtc-linker.ts', 'MAX_CONTROL_BUFFER_BYTES'),
  MAX_RECEIVED_FRAME_BYTES,
  maxFrameBytes: inSource('sync.ts', 'MAX_FRAME_BYTES'),
  MAX_INFO_CHARACTERS,
  MAX_VALUE_BYTES,
  MAX_BEACON_LINKS,
  maxPeers: inSource('local-room.ts', 'DEFAULT_MAX_PEERS'),
  MAX_LINE_MESSAGE_BYTES,
  MAX_LINE_MEMBERS,
  WELCOME_TIMEOUT_MS: inSource('rooms/pasted-line.ts', 'WELCOME_TIMEOUT_MS'),
  MAX_WEBSOCKET_FRAME_BYTES,
  keepAliveMs: DEFAULT_KEEP_ALIVE_MS,
  MAX_HANDSHAKE_BYTES,
  handshakeTimeoutMs: DEFAULT_HANDSHAKE_TIMEOUT_MS,
  maxConnections: inSource('serve-websocket.ts', 'DEFAULT_MAX_CONNECTIONS'),
  CAR_FRAME_BYTES: inSource('protocol/outbox.ts', 'CAR_FRAME_BYTES'),
  MIN_FRAME_BYTES,
  MAX_PACKED_BYTES,
  RECEIVE_WINDOW_BYTES,
  MIN_WINDOW_BYTES,
  MAX_HELLO_HEADS,
  MAX_REPLICA_ID_BYTES,
  MAX_LIST_CID_BYTES,
  MAX_LIST_CIDS,
  MAX_SYMBOLS,
  KEPT_SYMBOLS,
  LIST_BELOW_BLOCKS,
  KEY_BYTES,
  MAX_LIVE_GROUP: inSource('protocol/outbox.ts', 'MAX_LIVE_GROUP'),
  BULK_BLOCKS: inSource('protocol/incoming.ts', 'BULK_BLOCKS'),
  STALL_MS: inSource('protocol/incoming.ts', 'STALL_MS'),
  MAX_ANNOUNCED,
  ANNOUNCE_MS: inSource('protocol/native.ts', 'ANNOUNCE_MS'),
  HELD_MS: inSource('protocol/announced.ts', 'HELD_MS'),
  FETCH_AFTER_MS: inSource('protocol/relay.ts', 'FETCH_AFTER_MS'),
  FETCH_AGAIN_MS: inSource('protocol/relay.ts', 'FETCH_AGAIN_MS'),
  MAX_QUEUED_BLOCKS,
  MAX_CONTEXT_BYTES,
  MAX_ABORT_TEXT,
  helloTimeoutMs: inSource('protocol/session.ts', 'helloTimeoutMs'),
  silenceMs: inSource('protocol/session.ts', 'silenceMs'),
  closeTimeoutMs: inSource('protocol/session.ts', 'closeTimeoutMs'),
  ORIGINAL_FRAME_BYTES,
  MAX_WAITING_BYTES: inSource('protocol/original.ts', 'MAX_WAITING_BYTES'),
  TICKS_PER_MS,
  MAX_PARENTS,
  MAX_WRITER_BYTES,
  MAX_SEQUENCE,
  MAX_SIGNATURE_BYTES: inSource('ledger/commit.ts', 'MAX_SIGNATURE_BYTES'),
  MAX_ID_BYTES,
  NAME_BYTES,
  MAX_REPLACES,
  MAX_DEPTH,
  TARGET_COMMIT_BYTES,
  PAGE_MIN_BYTES,
  PAGE_MEAN_BYTES,
  PAGE_MAX_BYTES,
  recentBytes: checkLedgerOptions({}).recentBytes,
  maxDocumentBytes: checkLedgerOptions({}).maxDocumentBytes,
  futureToleranceMs: checkLedgerOptions({}).futureToleranceMs,
  maxParkedBytes: checkLedgerOptions({}).maxParkedBytes,
  segmentBytes: checkLedgerOptions({}).segmentBytes,
};

test('the table of limits has the values of the code', () => {
  const told = tableWith('name').map(([name, value]) => [code(name), value]);
  const real = Object.entries(limits).map(([name, value]) => [name, value.toLocaleString('en')]);
  expect(told).toEqual(real);
});

test('every limit that PROTOCOL.md names has a row in its table of limits', () => {
  const named = protocol.matchAll(/`((?:[A-Z]+_)+[A-Z]+)`/g);
  for (const [, name] of named) expect(limits, name).toHaveProperty(name!);
});

// --- the exchange of PROTOCOL.md ---

test('two peers say to each other, byte for byte, what PROTOCOL.md says', async () => {
  expect(await exchange()).toEqual(framesIn(/```hex\n([^`]*)```/.exec(protocol)?.[1] ?? ''));
});

/** A fresh Bob connects to Alice with one tiny document, changes it, and she leaves. */
async function exchange(): Promise<string[]> {
  const frames: string[] = [];
  let nowMs = Date.UTC(2026, 0, 1);
  const now = (): number => nowMs;
  const alice = await ledgerOf('alice', 0xaa, now);
  const bob = await ledgerOf('bob', 0xbb, now);
  await alice.put({ _id: 'a', n: 1 });

  const pair = createMemoryChannelPair();
  const [left, right] = (['alice', 'bob'] as const).map((name, side) => {
    const channel = new Tap(pair[side]!, (frame) => {
      const bytes = frame as Uint8Array;
      frames.push(`${name}: ${decodeMessage(bytes).kind} ${Buffer.from(bytes).toString('hex')}`);
    });
    return new Session(channel, { alice, bob }[name].replica);
  });
  const ended = Promise.all([left!.run(), right!.run()]);
  await Promise.all([left!.firstSync(), right!.firstSync()]);
  nowMs += 1000;
  await bob.put({ _id: 'a', n: 2 });
  await right!.synced();
  await left!.close();
  await ended;
  expect(await alice.get('a')).toEqual({ _id: 'a', n: 2 });
  await Promise.all([alice.close(), bob.close()]);
  return frames;
}

async function ledgerOf(name: string, writer: number, now: () => number): Promise<Ledger> {
  const storage = new MemoryPlace();
  storage.replace('writer', new Uint8Array(8).fill(writer));
  const restore = replaceRandomValues((length) => new Uint8Array(length).fill(writer));
  return openLedger(name, { storage, now }).finally(restore);
}

/** `alice: hello 01…` per frame; remarks and spaces left out. */
function framesIn(text: string): string[] {
  const frames: string[] = [];
  for (const line of text.split('\n')) {
    const [content] = line.split(';');
    if (content!.includes(':')) frames.push(`${content!.trim()} `);
    else if (content!.trim() !== '') frames.push(frames.pop() + content!.replaceAll(' ', ''));
  }
  return frames;
}

// --- signaling ---

const member = 'm'.repeat(22);

type Word = RoomWord | ServerWord;

const clientSamples: { [K in ClientMessage['type']]: Extract<ClientMessage, { type: K }> } = {
  join: { type: 'join', room: 'r', proof: 'p'.repeat(43), token: 't' },
  leave: { type: 'leave', room: 'r' },
  send: { type: 'send', room: 'r', to: member, data: 'd' },
  ping: { type: 'ping' },
};

const serverSamples: { [K in ServerMessage['type']]: Extract<ServerMessage, { type: K }> } = {
  welcome: { type: 'welcome', maxMessageBytes: 1, roomsPerSocket: 1 },
  joined: { type: 'joined', room: 'r', member, members: [], iceServers: [], iceTtlSeconds: 1 },
  entered: { type: 'entered', room: 'r', member },
  left: { type: 'left', room: 'r', member },
  message: { type: 'message', room: 'r', from: member, data: 'd' },
  error: { type: 'error', code: 'unavailable', message: 'm', room: 'r', to: member },
  drain: { type: 'drain', retryMs: 1 },
  pong: { type: 'pong' },
};

test('the tables of signaling messages list each with its fields, and which of them may be missing', () => {
  const isClientMessage = (text: string): boolean => !('malformed' in parseClientMessage(text));
  const isServerMessage = (text: string): boolean => parseServerMessage(text) !== undefined;
  expect(namesAndFields('client message')).toEqual(fieldsOf(clientSamples, isClientMessage));
  expect(namesAndFields('server message')).toEqual(fieldsOf(serverSamples, isServerMessage));
  expect(protocol).toContain(`the subprotocol \`${SIGNALING_PROTOCOL}\``);
});

test('the tables of rooms list what members tell each other, field by field', () => {
  const card = { id: member, replica: '', startedAt: 1, access: 'write', info: '' } as const;
  const envelopes: Record<Envelope['type'], Envelope> = {
    knock: { type: 'knock', card, nonce: '' },
    here: { type: 'here', card, to: member, echo: '', nonce: '' },
    said: { type: 'said', from: member, to: member, number: 1, body: { kind: 'call', lost: 0 } },
    bye: { type: 'bye', from: member },
  };
  const isEnvelope = (text: string): boolean =>
    decodeEnvelope(new TextEncoder().encode(text)) !== undefined;
  expect(namesAndFields('envelope')).toEqual(fieldsOf(envelopes, isEnvelope));

  const bodies: Record<Said['kind'], Said> = {
    call: { kind: 'call', lost: 0 },
    signal: { kind: 'signal', attempt: 1, signal: { number: 0, text: '' } },
    over: { kind: 'over', attempt: 1, reason: 'ended' },
  };
  for (const [name, body] of Object.entries(bodies)) {
    const { kind: _, ...fields } = body;
    expect(isEnvelope(JSON.stringify({ ...envelopes.said, body })), name).toBe(true);
    expect(namesAndFields('body')).toContainEqual([name, Object.keys(fields)]);
  }

  const value = new Uint8Array(1);
  const messages: Record<MemberMessage['kind'], MemberMessage> = {
    beat: { kind: 'beat', at: 1, echo: 0, heldMs: 0, wanted: true },
    beacon: { kind: 'beacon', card, number: 1, links: [member] },
    presence: { kind: 'presence', from: member, number: 1, value, settled: true },
    event: { kind: 'event', from: member, number: 1, value },
    leaving: { kind: 'leaving', from: member },
    relay: { kind: 'relay', from: member, to: member, data: 'd' },
  };
  const told = tableWith('member message').map(([name, number, fields]) => [
    code(name),
    Number(number),
    fields!.split(', ').map((field) => code(field)),
  ]);
  const real = Object.values(messages).map((message) => {
    const bytes = encodeMemberMessage(message);
    expect(decodeMemberMessage(bytes)).toEqual(message);
    const { kind, ...fields } = message;
    return [kind, (decode(bytes) as unknown[])[0], Object.keys(fields)];
  });
  expect(told).toEqual(real);
});

function namesAndFields(head: string): [string, string[]][] {
  return tableWith(head).map(([name, fields]) => [
    code(name)!,
    fields === '' ? [] : fields!.split(', ').map((field) => code(field)!),
  ]);
}

function fieldsOf(
  messages: Record<string, { readonly type: string }>,
  isRead: (text: string) => boolean,
): [string, string[]][] {
  return Object.entries(messages).map(([name, { type, ...fields }]) => {
    expect(isRead(JSON.stringify({ type, ...fields })), name).toBe(true);
    const shown = Object.keys(fields).map((field) =>
      isRead(JSON.stringify({ type, ...fields, [field]: undefined })) ? `${field}?` : field,
    );
    return [name, shown];
  });
}

const wordSamples: { [K in Word['type']]: Omit<Extract<Word, { type: K }>, 'server'> } = {
  entered: { type: 'entered', member, at: 1 },
  left: { type: 'left', member },
  message: { type: 'message', from: member, to: member, data: 'd' },
  who: { type: 'who' },
  here: { type: 'here', members: [[member, 1]] },
  alive: { type: 'alive', at: 1 },
};

test('the table of words between signaling servers lists each with its fields', () => {
  const limits = { maxDataCharacters: 10, nowMs: Date.now() };
  const isWord = (text: string): boolean => {
    const word = JSON.stringify({ ...(JSON.parse(text) as object), server: 's'.repeat(22) });
    return (parseRoomWord(word, limits) ?? parseServerWord(word, limits)) !== undefined;
  };
  expect(namesAndFields('broker word')).toEqual(fieldsOf(wordSamples, isWord));
});

test('the tables of signaling errors and refused upgrades are those of the code', () => {
  const codes = tableWith('error code').map(([name, closeCode]) => [code(name), closeCode]);
  expect(codes).toEqual(
    Object.entries(CLOSE_CODES).map(([name, close]) => [name, `${close ?? ''}`]),
  );
  const statuses = tableWith('refusal').map(([name, status]) => [code(name), Number(status)]);
  expect(statuses).toEqual(Object.entries(UPGRADE_STATUS));
});

test('the limits of the signaling server have the defaults of the code', () => {
  for (const [name, value] of tableWith("server's limit")) {
    const { fallback } = SETTINGS[code(name) as SettingName];
    expect([name, value]).toEqual([name, fallback!.toLocaleString('en')]);
  }
});

test('signaling/README.md lists every setting as the code has it', () => {
  const shown = SETTING_NAMES.map((name) => {
    const names = `| \`${flagOf(name)}\` | \`${variableOf(name)}\``;
    return `${names} | ${defaultOf(name)} | ${SETTINGS[name].about} |`;
  });
  const lines = read('signaling/README.md').split('\n');
  expect(lines.filter((line) => line.startsWith('| `--'))).toEqual(shown);
});

// --- README.md and the others ---

const guides = readme + read('signaling/README.md');
const blocks = [...guides.matchAll(/<!-- (examples\/[\w-]+\.tsx?) -->\n```tsx?\n(.*?)```\n/gs)];

test('README.md shows the quickstart and a replica of one’s own', () => {
  const shown = blocks.map(([, file]) => file);
  expect(shown).toContain('examples/quickstart.ts');
  expect(shown).toContain('examples/own-replica.ts');
  expect(shown).toContain('examples/room.ts');
  expect(shown).toContain('examples/pasted-room.ts');
  expect(shown).toContain('examples/websocket.ts');
  expect(shown).toContain('examples/react.tsx');
  expect(shown).toContain('examples/inspector.ts');
  expect(shown.length, 'each mark stands before a block').toBe(guides.split('<!-- ex').length - 1);
});

test.each(blocks.map(([, file, shown]) => [file!, shown!]))(
  'a README.md shows %s',
  (file, shown) => {
    expect(shown).toBe(read(file));
  },
);

test('README.md lists every hook of emberlink/react', () => {
  const listed = [...readme.matchAll(/^\| `(use\w+)\(/gm)].map(([, name]) => name!);
  expect(listed.sort()).toEqual(Object.keys(hooks).sort());
});

test.each(['README.md', 'ARCHITECTURE.md', 'PROTOCOL.md', 'signaling/README.md'])(
  'the links in %s lead to files that exist',
  (file) => {
    const links = [...read(file).matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!);
    const paths = links.filter((link) => !/^(https?:|#)/.test(link));
    expect(paths).not.toEqual([]);
    for (const path of paths) {
      expect(existsSync(new URL(path.split('#')[0]!, urlOf(file))), path).toBe(true);
    }
  },
);

test("README.md tells the limits of the doors' sizes", () => {
  const limits = [...read('scripts/size.mjs').matchAll(/limit: (\d+)_000,/g)].map(([, kB]) => kB);
  const told = [...readme.matchAll(/(?<=\| )(\d+) kB(?= \|)/g)].map(([, kB]) => kB);
  expect(limits).toHaveLength(5);
  expect(told).toEqual(limits);
});

/** How the libraries of README.md's comparison are called in bench/RESULTS.md. */
const MEASURED: Record<string, RegExp> = {
  emberlink: /^emberlink( \(disk\))?$/,
  Yjs: /^(yjs|y-webrtc)( \(y-indexeddb, y-webrtc\))?$/,
  RxDB: /^rxdb \((.*, )?batch 500\)$/,
  Automerge: /^automerge \(immutable strings\)$/,
  PouchDB: /^pouchdb$/,
};

test('the figures of the comparison are those of bench/RESULTS.md', () => {
  const results = read('bench/RESULTS.md').split(/^## /m);
  const cellsOf = (row: string): string[] =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const rows = readme.split('\n').filter((line) => line.startsWith('|'));
  const head = rows.findIndex((row) => row.includes('| Yjs | RxDB |'));
  const names = cellsOf(rows[head]!).slice(1);
  let section: string | undefined;
  let compared = 0;
  for (const row of rows.slice(head + 2)) {
    const [what, ...figures] = cellsOf(row);
    if (figures.length !== names.length) break;
    const anchor = /RESULTS\.md#([\w-]+)/.exec(what!)?.[1];
    if (anchor !== undefined) {
      section = results.find((text) => slug(text.split('\n', 1)[0]!) === anchor);
    }
    expect(section, what).toBeDefined();
    // Of several sizes the last is the largest.
    const measured = section!.slice(section!.lastIndexOf('**n = ')).split('\n').map(cellsOf);
    names.forEach((name, i) => {
      if (figures[i] === '–') return;
      const found = measured.find(([label]) => MEASURED[name]!.test(label ?? ''));
      expect(found, `${what}: ${name}`).toContain(figures[i]);
      compared++;
    });
  }
  expect(compared).toBeGreaterThan(20);
});

/** As GitHub makes anchors of headings. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s-]/gu, '')
    .replaceAll(' ', '-');
}

test('every script that README.md and signaling/README.md name is in package.json', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = [...guides.matchAll(/npm (?:run (?:-\S+ )*([\w:-]+)|(start|test))\b/g)];
  expect(named).not.toEqual([]);
  for (const [, script, short] of named) expect(Object.keys(scripts)).toContain(script ?? short);
});

// --- helpers ---

function urlOf(path: string): URL {
  return new URL(`../${path}`, import.meta.url);
}

function read(path: string): string {
  return readFileSync(urlOf(path), 'utf8');
}

/** The cells of the one table in PROTOCOL.md whose first column has this head. */
function tableWith(head: string): string[][] {
  const lines = protocol.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  const rows = lines.slice(start + 2);
  return rows.slice(0, rows.indexOf('')).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** `name` in code type. */
function code(cell: string | undefined): string | undefined {
  return /^`(.+)`$/.exec(cell ?? '')?.[1];
}

/** The number of fields that a payload cell lists, or `bytes`. */
function shapeOf(payload: string): number | 'bytes' {
  if (payload === '') return 0;
  return code(payload)?.split(',').length ?? 'bytes';
}

function isKnown(tag: number): boolean {
  try {
    decodeMessage(Uint8Array.of(tag));
    return true;
  } catch (error) {
    return !String(error).includes('unknown tag');
  }
}

/** A constant or default that its module keeps to itself: a product of whole numbers. */
function inSource(file: string, name: string): number {
  const value = new RegExp(`\\b${name}(?:: number)?(?: =|:) ([\\d_ *]+)[;,]`).exec(
    read(`src/${file}`),
  )?.[1];
  if (value === undefined) throw new Error(`${name} is not in ${file}`);
  return value
    .split('*')
    .reduce((product, factor) => product * Number(factor.replaceAll('_', '')), 1);
}
