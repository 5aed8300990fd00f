import { Tokenizer, TokenParser } from '@streamparser/json';
import { parseNumber, revive } from './dag-json.ts';
import { CliError } from './errors.ts';

/** Input that holds no whole record for this many bytes is not ours: 16 MiB. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** `array`: one JSON array of records. `values`: records one after another, such as NDJSON. */
export type JsonLayout = 'array' | 'values';

/**
 * Cuts a stream of JSON into its records, which are DAG-JSON values, while it comes in: no more than
 * one of them is held.
 */
export class JsonStream {
  readonly #tokenizer: Tokenizer;
  readonly #parser: TokenParser;
  #records = 0;
  #recordBytes = 0;

  constructor(layout: JsonLayout, take: (record: unknown) => void) {
    this.#tokenizer = new ExactTokenizer(layout === 'values' ? { separator: '' } : {});
    this.#parser = new TokenParser(
      layout === 'values'
        ? { paths: ['$'], keepStack: false, separator: '' }
        : { paths: ['$.*'], keepStack: false },
    );
    this.#tokenizer.onToken = (token) => this.#parser.write(token);
    this.#parser.onValue = ({ value }) => {
      take(revive(value));
      this.#records++;
      this.#recordBytes = 0;
    };
  }

  /** @throws CliError `bad-input`, naming the record; those before it have been handed on */
  write(chunk: Uint8Array): void {
    this.#recordBytes += chunk.length;
    this.#guard(() => this.#tokenizer.write(chunk));
    if (this.#recordBytes > MAX_RECORD_BYTES) {
      throw this.#bad(`it has more than ${MAX_RECORD_BYTES} bytes`);
    }
  }

  /** @throws CliError `bad-input` when the input ends within a record or the array */
  end(): void {
    this.#guard(() => {
      this.#tokenizer.end();
      if (!this.#parser.isEnded) this.#parser.end();
    }, 'the input ends too early');
  }

  #guard(step: () => void, what?: string): void {
    try {
      step();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof CliError) throw this.#bad(message, error);
      throw this.#bad(what ?? `not JSON: ${inPlainWords(message)}`, error);
    }
  }

  #bad(message: string, cause?: unknown): CliError {
    return new CliError('bad-input', `record ${this.#records + 1}: ${message}`, { cause });
  }
}

/** The one value of a text. */
export function parseJson(text: string): unknown {
  const found: unknown[] = [];
  const stream = new JsonStream('values', (record) => found.push(record));
  stream.write(new TextEncoder().encode(text));
  stream.end();
  if (found.length === 1) return found[0];
  throw new CliError('bad-input', `expected one JSON value, found ${found.length}`);
}

class ExactTokenizer extends Tokenizer {
  /** The parser hands on whatever this returns, so that a bigint is as good as a number. */
  protected override parseNumber(text: string): number {
    return parseNumber(text) as number;
  }
}

/** The parser's complaint without its inner names. It may quote the input, so it is cut. */
function inPlainWords(message: string): string {
  return message
    .slice(0, MAX_COMPLAINT)
    .replace(/^Unexpected [A-Z_]+ \((.*)\)/, 'Unexpected $1')
    .replace(/ at chunk position "\d+" \(absolute position "(\d+)"\)/, ' at byte $1')
    .replace(/ in state \S+$/, '');
}

const MAX_COMPLAINT = 200;
