/**
 * Offers and answers as text that people paste into messengers.
 *
 * Two forms. Short: the marker `ember`, then base58btc of the packed description and a CRC-16.
 * Letters and digits only, so that no messenger styles, links or breaks it. Original: base64 of
 * `{"type","sdp"}`, as the systems before this one write it, with the key `"emberlink":1` added:
 * simple-peer ignores it, and our own side knows by it that the other speaks our protocol.
 *
 * An answer says which offer it is for, because nothing else would: an answer to an older offer looks
 * like any other, and the connection would just not come about.
 *
 * Reading repairs what happens on the way by one rule: only the characters of the alphabet count
 * and everything else (line breaks, quotes, `>`, brackets, zero-width characters, a URL around it)
 * separates pieces, which are joined again from one that looks like a beginning until they decode.
 * All signals of a text are found, so that of an offer and an answer the wanted one is taken.
 */
import { base58btc } from 'multiformats/bases/base58';
import { SignalError } from '../errors.ts';
import { packSdp, unpackSdp, type Signal } from './short-sdp.ts';

export type { Signal } from './short-sdp.ts';

export type SignalFormat = 'short' | 'original';

export interface DecodedSignal extends Signal {
  readonly form: SignalFormat;
  /** True when emberlink made it: its side speaks our protocol, not only the original one. */
  readonly marked: boolean;
}

/** The longest text, in UTF-16 units, that `decodeSignal` looks at. */
export const MAX_SIGNAL_TEXT: number = 64 * 1024;

const SHORT_MARKER = 'ember';
/** Keyboards begin a text with a capital letter. */
const SHORT_BEGINNING = /^[Ee]mber/;
/** `{"` in base64: how every original signal begins. */
const ORIGINAL_BEGINNING = /^eyJ/;
/** What follows the marker when all fields of the short form have their maximum. */
const MAX_SHORT_BODY = 1600;
/** With fewer characters than this a marker proves nothing: "embers" is an English word. */
const MIN_RECOGNISABLE = 8;
/** So long a word may be several texts without anything between them. */
const MIN_GLUED = 40;
/** A word of that many letters of one case, digits among them, that begins with the marker, is no word. */
const MIN_CASELESS = 24;
/** A link in a link in a link: chats and mail scanners wrap them. */
const MAX_PERCENT_ROUNDS = 3;
const MAX_BEGINNINGS = 8;
const MAX_SHORT_PIECES = 32;
const MAX_ORIGINAL_PIECES = 256;

/** Always decodable by the other side: what the short form cannot express is written in full. */
export function encodeSignal(signal: Signal, format: SignalFormat): string {
  const packed = format === 'short' ? packSdp(signal) : undefined;
  if (packed !== undefined) {
    const checksum = crc16(packed);
    const body = Uint8Array.of(...packed, checksum >> 8, checksum & 255);
    return SHORT_MARKER + base58btc.baseEncode(body);
  }
  const { type, sdp, answers } = signal;
  return btoa(JSON.stringify({ type, sdp, emberlink: 1, answers }));
}

/**
 * Finds the signal in a pasted text. With several in it, the one of the wanted type.
 * @throws SignalError `several-signals` for different ones among which nobody can choose, `truncated`
 *   for a signal that was cut off or damaged, `case-changed` for one whose capitals were lost,
 *   `not-a-signal` for anything else, empty or longer than 64 KiB texts included
 */
export function decodeSignal(text: string, wanted?: Signal['type']): DecodedSignal {
  if (text.length > MAX_SIGNAL_TEXT) {
    throw new SignalError(
      'not-a-signal',
      `a text of ${text.length} characters is no signal: at most ${MAX_SIGNAL_TEXT}`,
    );
  }
  const plain = withoutPercents(text);
  const short = search(shortCandidates(plain), decodeShort);
  if (short.signals.length > 0) return chosen(short.signals, wanted);
  const original = search(originalCandidates(plain), decodeOriginal);
  if (original.signals.length > 0) return chosen(original.signals, wanted);
  if (hasLostCase(plain)) {
    throw new SignalError(
      'case-changed',
      'capital and small letters were changed on the way: send the text in another way',
    );
  }
  if (short.damaged || original.damaged) {
    throw new SignalError('truncated', 'the signal is incomplete: copy it again, from end to end');
  }
  throw new SignalError('not-a-signal', 'the text has no offer and no answer in it');
}

/**
 * Tells one connection attempt from another by its ICE username and DTLS fingerprint.
 * @throws SignalError `not-a-signal` when the SDP has none
 */
export function signalId(sdp: string): string {
  const ufrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1];
  const fingerprint = /^a=fingerprint:(\S+ \S+)/m.exec(sdp)?.[1];
  if (ufrag === undefined || fingerprint === undefined) {
    throw new SignalError('not-a-signal', 'a description without ICE username or fingerprint');
  }
  return `${ufrag} ${fingerprint.toLowerCase()}`;
}

/** By what an answer tells which offer it is for, 1 to 65535. @throws SignalError `not-a-signal` */
export function offerMark(sdp: string): number {
  return crc16(new TextEncoder().encode(signalId(sdp))) || 1;
}

// --- search ---

type Attempt = DecodedSignal | 'damaged' | 'foreign';

/** What may be a signal, shortest first, for each place where one may begin. */
type Candidates = Iterable<Iterable<string>>;

function search(
  candidates: Candidates,
  decode: (candidate: string) => Attempt,
): { signals: DecodedSignal[]; damaged: boolean } {
  const signals: DecodedSignal[] = [];
  let damaged = false;
  for (const fromOnePlace of candidates) {
    for (const candidate of fromOnePlace) {
      const attempt = decode(candidate);
      if (attempt === 'damaged') damaged = true;
      if (typeof attempt === 'string') continue;
      signals.push(attempt);
      break;
    }
  }
  return { signals, damaged };
}

/** A link and its preview say the same twice: that is one. */
function chosen(signals: readonly DecodedSignal[], wanted?: Signal['type']): DecodedSignal {
  const different = [...new Map(signals.map((signal) => [signal.sdp, signal])).values()];
  const fitting = different.filter(({ type }) => type === wanted);
  const choice = fitting.length > 0 ? fitting : different;
  if (choice.length > 1) {
    throw new SignalError(
      'several-signals',
      `the text has ${choice.length} different ${wanted ?? 'signal'}s in it: paste the newest alone`,
    );
  }
  return choice[0]!;
}

function* shortCandidates(text: string): Candidates {
  const pieces = (text.match(/[A-Za-z0-9]+/g) ?? []).flatMap((piece) =>
    // Pasted twice, one behind the other.
    piece.length < MIN_GLUED ? [piece] : piece.split(/(?=ember)|(?=https?$)/),
  );
  const isBase58 = (piece: string): boolean => /^[1-9A-HJ-NP-Za-km-z]+$/.test(piece);
  yield* joinedFrom(pieces, SHORT_BEGINNING, isBase58, MAX_SHORT_PIECES, MAX_SHORT_BODY);
  // Broken within the marker itself.
  const whole = pieces.join('');
  if (SHORT_BEGINNING.test(whole) && whole.length <= MAX_SHORT_BODY) yield [whole];
}

function* originalCandidates(text: string): Candidates {
  const pieces = text.match(/[A-Za-z0-9+/_-]+/g) ?? [];
  const any = (): boolean => true;
  yield* joinedFrom(pieces, ORIGINAL_BEGINNING, any, MAX_ORIGINAL_PIECES, MAX_SIGNAL_TEXT);
  const whole = pieces.join('');
  if (ORIGINAL_BEGINNING.test(whole)) yield [whole];
}

/** For each piece that is a beginning: the piece, then with the next one joined, and so on. */
function* joinedFrom(
  pieces: readonly string[],
  beginning: RegExp,
  belongs: (piece: string) => boolean,
  maxPieces: number,
  maxLength: number,
): Candidates {
  let beginnings = 0;
  for (let start = 0; start < pieces.length; start++) {
    const first = pieces[start]!.replace(/^[_/+-]+/, '');
    if (!beginning.test(first) || !belongs(first)) continue;
    if (++beginnings > MAX_BEGINNINGS) return;
    yield joined(first, pieces.slice(start + 1, start + maxPieces), belongs, maxLength);
  }
}

function* joined(
  first: string,
  next: readonly string[],
  belongs: (piece: string) => boolean,
  maxLength: number,
): Iterable<string> {
  let text = first;
  yield text;
  for (const piece of next) {
    if (!belongs(piece) || text.length + piece.length > maxLength) return;
    text += piece;
    yield text;
  }
}

function withoutPercents(text: string): string {
  let plain = text;
  for (let round = 0; round < MAX_PERCENT_ROUNDS && plain.includes('%'); round++) {
    plain = plain.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  return plain;
}

function hasLostCase(text: string): boolean {
  const pieces = text.match(/ember[A-Za-z0-9]+/gi) ?? [];
  return pieces.some(
    (piece) =>
      piece.length >= MIN_CASELESS &&
      piece.length <= MAX_SHORT_BODY &&
      /[0-9]/.test(piece) &&
      // The first letter alone may have been made a capital.
      [piece.toUpperCase(), piece.toLowerCase()].some((caseless) =>
        caseless.endsWith(piece.slice(1)),
      ),
  );
}

// --- the two forms ---

function decodeShort(token: string): Attempt {
  const body = token.slice(SHORT_MARKER.length);
  if (body.length < MIN_RECOGNISABLE) return 'foreign';
  if (body.length > MAX_SHORT_BODY || !/^[1-9A-HJ-NP-Za-km-z]+$/.test(body)) return 'damaged';
  const bytes = base58btc.baseDecode(body);
  if (bytes.length < 3) return 'damaged';
  const packed = bytes.subarray(0, -2);
  const checksum = (bytes.at(-2)! << 8) | bytes.at(-1)!;
  if (crc16(packed) !== checksum) return 'damaged';
  return { ...unpackSdp(packed), form: 'short', marked: true };
}

function decodeOriginal(token: string): Attempt {
  const base64 = token.replaceAll('-', '+').replaceAll('_', '/');
  // One character alone holds no byte: a cut one. The bytes before it tell what it was.
  const json = latin1(base64.length % 4 === 1 ? base64.slice(0, -1) : base64);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    const beginning = /^\{"(?:type|sdp|emberlink)/.test(json);
    return beginning ? 'damaged' : 'foreign';
  }
  if (typeof value !== 'object' || value === null) return 'foreign';
  const { type, sdp, emberlink, answers } = value as Record<string, unknown>;
  if ((type !== 'offer' && type !== 'answer') || typeof sdp !== 'string') return 'foreign';
  if (!describesDataChannel(sdp)) return 'foreign';
  const signal: DecodedSignal = { type, sdp, form: 'original', marked: emberlink === 1 };
  return typeof answers === 'number' ? { ...signal, answers } : signal;
}

function latin1(base64: string): string {
  return atob(base64.padEnd(Math.ceil(base64.length / 4) * 4, '='));
}

/** One section, and that a data channel: a signal must not ask for cameras or several transports. */
export function describesDataChannel(sdp: string): boolean {
  const media = sdp.match(/^m=.*$/gm) ?? [];
  if (media.length !== 1 || !media[0]!.startsWith('m=application ')) return false;
  return ['ice-ufrag', 'ice-pwd', 'fingerprint'].every((name) =>
    new RegExp(`^a=${name}:\\S`, 'm').test(sdp),
  );
}

/** CRC-16/CCITT-FALSE. */
function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ 0x1021) & 0xffff;
    }
  }
  return crc;
}
