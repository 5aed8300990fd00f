import { base64 } from 'multiformats/bases/base64';
import { CID } from '../index.ts';
import { CliError } from './errors.ts';

/*
 * DAG-JSON (https://ipld.io/specs/codecs/dag-json/spec/): JSON in which bytes are
 * {"/":{"bytes":"base64"}} and links {"/":"cid"}. Made here and not by @ipld/dag-json because a stream
 * parser hands over values, not texts, and that package prints 60,000 documents a second where these
 * lines print ten times as many; the tests hold both against each other.
 */

/** Deeper values than this are no documents; the ledger refuses them by name. */
const MAX_DEPTH = 100;

/** One line of DAG-JSON, or an indented text. Object members without a value are left out. */
export function stringify(value: unknown, indent = 0): string {
  return write(value, indent === 0 ? '' : '\n', ' '.repeat(indent));
}

function write(value: unknown, newline: string, step: string): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'object' && value !== null) return writeObject(value, newline, step);
  // Read as an integer it would have to be exact.
  const inexact = Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact ? (value as number).toExponential() : JSON.stringify(value);
}

function writeObject(value: object, newline: string, step: string): string {
  if (value instanceof Uint8Array) return `{"/":{"bytes":"${base64.baseEncode(value)}"}}`;
  const cid = CID.asCID(value);
  if (cid !== null) return `{"/":"${cid.toString()}"}`;
  const inner = newline && newline + step;
  const items: string[] = [];
  if (Array.isArray(value)) {
    for (const item of value) items.push(inner + write(item, inner, step));
    return items.length === 0 ? '[]' : `[${items.join(',')}${newline}]`;
  }
  const colon = newline === '' ? ':' : ': ';
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    items.push(inner + JSON.stringify(key) + colon + write(item, inner, step));
  }
  return items.length === 0 ? '{}' : `{${items.join(',')}${newline}}`;
}

/**
 * Puts bytes and links in the place of what stands for them in parsed JSON, in place where it can.
 * @throws CliError `bad-input`
 */
export function revive(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item === 'object') value[i] = revive(item, depth + 1);
    }
    return value;
  }
  const object = value as Record<string, unknown>;
  if (Object.hasOwn(object, '/')) {
    const special = reviveSpecial(object);
    if (special !== undefined) return special;
  }
  for (const key in object) {
    const item = object[key];
    // Assigning to this name would change the prototype; the ledger refuses it by name.
    if (typeof item === 'object' && key !== '__proto__') object[key] = revive(item, depth + 1);
  }
  return object;
}

function reviveSpecial(object: Record<string, unknown>): CID | Uint8Array | undefined {
  if (Object.keys(object).length !== 1) return undefined;
  const content = object['/'];
  if (typeof content === 'string') {
    try {
      return CID.parse(content);
    } catch (cause) {
      throw new CliError('bad-input', `${JSON.stringify(clip(content))} is no CID`, { cause });
    }
  }
  if (typeof content !== 'object' || content === null || !('bytes' in content)) return undefined;
  const { bytes } = content;
  if (typeof bytes !== 'string' || Object.keys(content).length !== 1) return undefined;
  try {
    return base64.baseDecode(bytes.replace(/=+$/, ''));
  } catch (cause) {
    throw new CliError('bad-input', `${JSON.stringify(clip(bytes))} is no base64`, { cause });
  }
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** Integers that a JavaScript number cannot hold exactly become BigInts. */
export function parseNumber(text: string): number | bigint {
  const number = Number(text);
  if (text.length < 16 || Number.isSafeInteger(number) || !/^-?\d+$/.test(text)) return number;
  if (text.length > MAX_INTEGER_DIGITS) {
    throw new CliError('bad-input', `the integer ${clip(text)} has more than 64 bits`);
  }
  return BigInt(text);
}

/** More digits than any 64-bit integer has. */
const MAX_INTEGER_DIGITS = 21;
