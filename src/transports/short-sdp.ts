/**
 * The description of a data channel connection in about 100 bytes instead of 700.
 *
 * Nearly every line of such an SDP is the same everywhere, so only what differs is packed; unpacking
 * fills the template. Layout: one byte (version in the high nibble; bit 0 answer, bit 1 `passive`,
 * bits 2 and 3 the maximum message size), the size as four bytes if it is an uncommon one, ICE
 * username and password (one byte of length, then six bits a character; four for Firefox's), the
 * 32 bytes of the SHA-256 fingerprint, in an answer the mark of its offer, and per candidate one byte (type, kind of address), address
 * and port.
 *
 * Left out: TCP candidates where there is a UDP one, related addresses, foundations (anew from the
 * template) and, of each candidate type, all but the best eight by priority.
 *
 * Invariant: what `unpackSdp` returns is built from numbers and ICE characters only, so no sender
 * can smuggle a line into it.
 */
import { equalBytes, hex } from '../bytes.ts';
import { SignalError } from '../errors.ts';

export interface Signal {
  readonly type: 'offer' | 'answer';
  readonly sdp: string;
  /** In an answer, the mark of its offer: 1 to 65535. Those of other systems have none. */
  readonly answers?: number | undefined;
}

interface Candidate {
  readonly type: number;
  readonly kind: number;
  readonly address: Uint8Array;
  readonly port: number;
}

interface Essentials {
  readonly type: 'offer' | 'answer';
  readonly passive: boolean;
  readonly maxMessageSize: number;
  readonly ufrag: string;
  readonly pwd: string;
  readonly fingerprint: Uint8Array;
  readonly answers: number | undefined;
  readonly candidates: readonly Candidate[];
}

const VERSION = 1;
const MAX_CANDIDATES_PER_TYPE = 8;
const CANDIDATE_TYPES = ['host', 'srflx', 'relay'];
const TYPE_PREFERENCES = [126, 100, 0];
const IPV4 = 0;
const IPV6 = 1;
const MDNS = 2;
const ADDRESS_BYTES = [4, 16, 16];
const COMMON_MESSAGE_SIZES = [262_144, 65_536, 1_073_741_823];
const UNCOMMON_MESSAGE_SIZE = 3;
const DEFAULT_MAX_MESSAGE_SIZE = 65_536;
const FINGERPRINT_BYTES = 32;
const MIN_UFRAG = 4;
const MIN_PWD = 22;
const MAX_CREDENTIAL = 255;
/** Of the hexadecimal credentials that Firefox makes: their place here stands where a length would. */
const HEX_LENGTHS = [8, 32];
const ICE_CHARS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The bytes of a signal, or undefined where the template cannot express what matters in it. */
export function packSdp(signal: Signal): Uint8Array | undefined {
  const essentials = readEssentials(signal);
  if (essentials === undefined) return undefined;
  const packed = pack(essentials);
  // Verified, not believed: the other side must read what this side meant.
  const rebuilt = readEssentials(unpackSdp(packed));
  return rebuilt !== undefined && equalBytes(pack(rebuilt), packed) ? packed : undefined;
}

/** @throws SignalError `not-a-signal` */
export function unpackSdp(bytes: Uint8Array): Signal {
  const read = reader(bytes);
  const head = read(1)[0]!;
  if (head >> 4 !== VERSION) {
    throw new SignalError(
      'not-a-signal',
      `a signal of version ${head >> 4}; this side reads version ${VERSION}`,
    );
  }
  const type = (head & 1) === 1 ? 'answer' : 'offer';
  const passive = (head & 2) !== 0;
  const sizeIndex = (head >> 2) & 3;
  const maxMessageSize =
    sizeIndex === UNCOMMON_MESSAGE_SIZE
      ? read(4).reduce((size, byte) => size * 256 + byte, 0)
      : COMMON_MESSAGE_SIZES[sizeIndex]!;
  const ufrag = unpackIceChars(read, MIN_UFRAG);
  const pwd = unpackIceChars(read, MIN_PWD);
  const fingerprint = read(FINGERPRINT_BYTES);
  const [markHigh = 0, markLow = 0] = type === 'answer' ? read(2) : [];
  const answers = markHigh * 256 + markLow || undefined;
  const candidates: Candidate[] = [];
  while (read.left() > 0) candidates.push(unpackCandidate(read));
  const sdp = template({
    type,
    passive,
    maxMessageSize,
    ufrag,
    pwd,
    fingerprint,
    candidates,
  });
  return { type, sdp, ...(answers === undefined ? {} : { answers }) };
}

// --- bytes ---

function pack(essentials: Essentials): Uint8Array {
  const { type, passive, maxMessageSize, ufrag, pwd, fingerprint, candidates } = essentials;
  const { answers = 0 } = essentials;
  const common = COMMON_MESSAGE_SIZES.indexOf(maxMessageSize);
  const sizeIndex = common === -1 ? UNCOMMON_MESSAGE_SIZE : common;
  const bytes = [
    (VERSION << 4) | (sizeIndex << 2) | (passive ? 2 : 0) | (type === 'answer' ? 1 : 0),
  ];
  if (common === -1) bytes.push(...[24, 16, 8, 0].map((shift) => (maxMessageSize >>> shift) & 255));
  bytes.push(...packIceChars(ufrag), ...packIceChars(pwd), ...fingerprint);
  if (type === 'answer') bytes.push(answers >> 8, answers & 255);
  for (const candidate of candidates) {
    bytes.push((candidate.kind << 2) | candidate.type, ...candidate.address);
    bytes.push(candidate.port >> 8, candidate.port & 255);
  }
  return Uint8Array.from(bytes);
}

interface Reader {
  (length: number): Uint8Array;
  left(): number;
}

function reader(bytes: Uint8Array): Reader {
  let offset = 0;
  const read = (length: number): Uint8Array => {
    if (offset + length > bytes.length) throw malformed('it ends too early');
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  return Object.assign(read, { left: () => bytes.length - offset });
}

function unpackCandidate(read: Reader): Candidate {
  const head = read(1)[0]!;
  const type = head & 3;
  const kind = head >> 2;
  const length = ADDRESS_BYTES[kind];
  if (type >= CANDIDATE_TYPES.length || length === undefined) throw malformed('its candidates');
  const address = read(length);
  const [high, low] = read(2);
  const port = high! * 256 + low!;
  if (port === 0) throw malformed('a candidate without a port');
  return { type, kind, address, port };
}

function packIceChars(text: string): number[] {
  const hexLength = HEX_LENGTHS.indexOf(text.length);
  if (hexLength !== -1 && /^[0-9a-f]+$/.test(text)) return [hexLength, ...fromHex(text)];
  const bytes = [text.length];
  let bits = 0;
  let count = 0;
  for (const char of text) {
    bits = ((bits << 6) | ICE_CHARS.indexOf(char)) & 0x3fff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push((bits >> count) & 255);
  }
  if (count > 0) bytes.push((bits << (8 - count)) & 255);
  return bytes;
}

function unpackIceChars(read: Reader, minLength: number): string {
  const length = read(1)[0]!;
  const hexLength = HEX_LENGTHS[length] ?? 0;
  if (hexLength >= minLength) return hex(read(hexLength / 2));
  if (length < minLength) throw malformed('its ICE credentials');
  let text = '';
  let bits = 0;
  let count = 0;
  for (const byte of read(Math.ceil((length * 6) / 8))) {
    bits = ((bits << 8) | byte) & 0x3fff;
    count += 8;
    while (count >= 6 && text.length < length) {
      count -= 6;
      text += ICE_CHARS[(bits >> count) & 63]!;
    }
  }
  return text;
}

function malformed(what: string): SignalError {
  return new SignalError('not-a-signal', `a short signal with a broken content: ${what}`);
}

// --- SDP ---

/** What distinguishes this SDP from the template; undefined if something else does as well. */
function readEssentials({ type, sdp, answers }: Signal): Essentials | undefined {
  const lines = sdp.split(/\r\n|\n/);
  const all = (prefix: string): string[] =>
    lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
  const only = (prefix: string): string | undefined => {
    const values = all(prefix);
    return values.length === 1 ? values[0] : undefined;
  };

  const media = only('m=');
  if (media === undefined) return undefined;
  if (!/^application \d+ UDP\/DTLS\/SCTP webrtc-datachannel$/.test(media)) return undefined;
  if (only('a=mid:') !== '0' || only('a=sctp-port:') !== '5000') return undefined;
  if (lines.includes('a=ice-lite')) return undefined;

  const setup = only('a=setup:');
  const expected = type === 'offer' ? ['actpass'] : ['active', 'passive'];
  if (setup === undefined || !expected.includes(setup)) return undefined;

  const ufrag = only('a=ice-ufrag:');
  const pwd = only('a=ice-pwd:');
  if (!isIceText(ufrag, MIN_UFRAG) || !isIceText(pwd, MIN_PWD)) return undefined;

  const fingerprint = readFingerprint(only('a=fingerprint:'));
  if (fingerprint === undefined) return undefined;

  const sizes = all('a=max-message-size:');
  const maxMessageSize = sizes.length === 0 ? DEFAULT_MAX_MESSAGE_SIZE : Number(sizes[0]);
  if (!Number.isInteger(maxMessageSize) || maxMessageSize < 0) return undefined;
  if (sizes.length > 1 || maxMessageSize > 0xffff_ffff) return undefined;

  const candidates = readCandidates(all('a=candidate:'));
  if (candidates === undefined) return undefined;
  const passive = setup === 'passive';
  return { type, passive, maxMessageSize, ufrag, pwd, fingerprint, answers, candidates };
}

function isIceText(text: string | undefined, minLength: number): text is string {
  if (text === undefined || text.length < minLength || text.length > MAX_CREDENTIAL) return false;
  return /^[A-Za-z0-9+/]+$/.test(text);
}

function readFingerprint(value: string | undefined): Uint8Array | undefined {
  const match = /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(value ?? '');
  return match?.[1] === undefined ? undefined : fromHex(match[1].replaceAll(':', ''));
}

/** The UDP candidates worth packing, best first; undefined if one of them is none that we know. */
function readCandidates(lines: readonly string[]): Candidate[] | undefined {
  const found: (Candidate & { priority: number })[] = [];
  for (const line of lines) {
    const [, component, protocol, priority, address, port, typ, type] = line.split(' ');
    if (protocol?.toLowerCase() !== 'udp' || component !== '1') continue;
    // A reflexive address learnt from a check is to the other side what a server's answer is.
    const typeIndex = CANDIDATE_TYPES.indexOf(type === 'prflx' ? 'srflx' : (type ?? ''));
    const parsed = parseAddress(address ?? '');
    const portNumber = Number(port);
    const validPort = Number.isInteger(portNumber) && portNumber > 0 && portNumber < 65_536;
    if (typ !== 'typ' || typeIndex === -1 || parsed === undefined || !validPort) return undefined;
    found.push({ ...parsed, type: typeIndex, port: portNumber, priority: Number(priority) });
  }
  if (found.length === 0 && lines.length > 0) return undefined;
  found.sort((a, b) => b.priority - a.priority);
  return CANDIDATE_TYPES.flatMap((_, index) =>
    found.filter(({ type }) => type === index).slice(0, MAX_CANDIDATES_PER_TYPE),
  );
}

function template(essentials: Omit<Essentials, 'answers'>): string {
  const { type, passive, maxMessageSize, ufrag, pwd, fingerprint, candidates } = essentials;
  const answerSetup = passive ? 'passive' : 'active';
  const lines = [
    'v=0',
    'o=- 1 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    ...candidates.map(candidateLine),
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    `a=fingerprint:sha-256 ${hex(fingerprint).toUpperCase().match(/../g)!.join(':')}`,
    `a=setup:${type === 'offer' ? 'actpass' : answerSetup}`,
    'a=mid:0',
    'a=sctp-port:5000',
    `a=max-message-size:${maxMessageSize}`,
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

function candidateLine(candidate: Candidate, index: number): string {
  const { type, kind, address, port } = candidate;
  const priority = TYPE_PREFERENCES[type]! * 2 ** 24 + (65_535 - index) * 256 + 255;
  const related = type === 0 ? '' : ' raddr 0.0.0.0 rport 0';
  const where = `${formatAddress(kind, address)} ${port}`;
  return `a=candidate:${index + 1} 1 udp ${priority} ${where} typ ${CANDIDATE_TYPES[type]}${related}`;
}

// --- addresses ---

function parseAddress(text: string): { kind: number; address: Uint8Array } | undefined {
  const uuid =
    /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\.local$/.exec(text);
  if (uuid !== null) return { kind: MDNS, address: fromHex(uuid.slice(1).join('')) };
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const parts = text.split('.').map(Number);
    return parts.every((part) => part < 256)
      ? { kind: IPV4, address: Uint8Array.from(parts) }
      : undefined;
  }
  const address = parseIpv6(text);
  return address === undefined ? undefined : { kind: IPV6, address };
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2 || !/^[0-9a-f:]+$/i.test(text)) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head!.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head!, ...Array<string>(missing).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return fromHex(groups.map((group) => group.padStart(4, '0')).join(''));
}

function formatAddress(kind: number, address: Uint8Array): string {
  if (kind === IPV4) return address.join('.');
  const digits = hex(address);
  if (kind === IPV6) {
    return digits
      .match(/.{4}/g)!
      .map((group) => Number.parseInt(group, 16).toString(16))
      .join(':');
  }
  return `${digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}.local`;
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
