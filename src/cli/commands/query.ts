import { type Command, InvalidArgumentError } from 'commander';
import {
  MAX_ID_BYTES,
  type Document,
  type DocumentRow,
  type DocumentValue,
  type Ledger,
  type QueryOptions,
} from '../../index.ts';
import { stringify } from '../dag-json.ts';
import { CliError } from '../errors.ts';
import { pause } from '../interrupt.ts';
import { parseJson } from '../json-stream.ts';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { clip, columnsOf, pad, printable, textWidth } from '../terminal.ts';

/** Documents read and printed at a time. */
const PAGE = 500;

/** Comes after every id: it is longer than an id may be. */
const LAST_ID = '\uffff'.repeat(MAX_ID_BYTES);

const MAX_ID_COLUMNS = 40;
const MAX_KEY_COLUMNS = 30;

interface ListOptions {
  readonly prefix?: string;
  readonly limit?: number;
  readonly descending?: boolean;
  readonly ids?: boolean;
}

interface QueryFlags {
  readonly key?: string;
  readonly keys?: readonly string[];
  readonly prefix?: string;
  readonly range?: readonly string[];
  readonly limit?: number;
  readonly descending?: boolean;
}

/** list, query: many documents. */
export function addQueryCommands(program: Command, output: Output): void {
  program
    .command('list')
    .description('print documents in order of their ids')
    .option('--prefix <text>', 'ids that begin so')
    .option('--limit <n>', 'at most so many', parseLimit)
    .option('--descending', 'the last id first')
    .option('--ids', 'ids only')
    .action((options: ListOptions, command: Command) =>
      useLedger(command, 'refuse', async (ledger) => {
        for await (const rows of pages(ledger, options)) await printRows(rows, options, output);
      }),
    );

  program
    .command('query')
    .description('print documents in order of a field; those without it are left out')
    .usage('<field> [options]')
    .argument('<field>')
    .option('--key <key>', 'where the field is this. Keys are JSON, or else plain text')
    .option('--keys <key...>', 'where the field is one of these')
    .option('--prefix <key>', 'where it begins so: a text, or the first items of a list')
    .option('--range <key...>', 'where it is between two keys, both included')
    .option('--limit <n>', 'at most so many', parseLimit)
    .option('--descending', 'the greatest key first')
    .action((field: string, flags: QueryFlags, command: Command) => {
      const options = queryOptions(flags);
      return useLedger(command, 'refuse', (ledger) => printQuery(ledger, field, options, output));
    });
}

async function* pages(
  ledger: Ledger,
  { prefix = '', limit = Infinity, descending = false }: ListOptions,
): AsyncGenerator<DocumentRow[]> {
  let left = limit;
  let last: string | undefined;
  while (left > 0) {
    const size = Math.min(PAGE, left);
    // A page begins with the last row of the one before.
    const found =
      last === undefined
        ? await ledger.allDocs({ prefix, limit: size, descending })
        : await ledger.allDocs({
            range: descending ? [prefix, last] : [last, LAST_ID],
            limit: size + 1,
            descending,
          });
    const rows = found.rows.filter(({ id }) => id !== last && id.startsWith(prefix));
    if (rows.length > 0) yield rows;
    if (rows.length < size) return;
    left -= rows.length;
    last = rows.at(-1)!.id;
    await pause();
  }
}

async function printRows(rows: DocumentRow[], { ids }: ListOptions, output: Output): Promise<void> {
  let text = '';
  const width = idColumns(rows);
  for (const { id, doc } of rows) {
    if (output.json) text += `${stringify(ids ? id : doc)}\n`;
    else if (ids) text += `${printable(id)}\n`;
    else text += `${idColumn(id, width, output)}  ${preview(doc, width + 2)}\n`;
  }
  await output.write(text);
}

async function printQuery(
  ledger: Ledger,
  field: string,
  options: QueryOptions,
  output: Output,
): Promise<void> {
  const { rows } = await ledger.query(field, { ...options, includeDocs: false });
  for (let i = 0; i < rows.length; i += PAGE) {
    const page = rows.slice(i, i + PAGE);
    const keys = page.map(({ key }) => clip(printable(stringify(key)), MAX_KEY_COLUMNS));
    const keyWidth = Math.max(...keys.map(textWidth));
    const width = idColumns(page);
    const docs = await ledger.allDocs({ keys: page.map(({ id }) => id) });
    let text = '';
    for (const [nth, { id, doc }] of docs.rows.entries()) {
      if (output.json) {
        text += `${stringify({ id, key: page[nth]!.key, doc })}\n`;
      } else {
        const key = output.style('yellow', pad(keys[nth]!, keyWidth));
        text += `${key}  ${idColumn(id, width, output)}  ${preview(doc, keyWidth + width + 4)}\n`;
      }
    }
    await output.write(text);
    await pause();
  }
}

function idColumns(rows: readonly { id: string }[]): number {
  return Math.min(MAX_ID_COLUMNS, Math.max(...rows.map(({ id }) => textWidth(printable(id)))));
}

function idColumn(id: string, width: number, output: Output): string {
  return output.style('bold', pad(clip(printable(id), width), width));
}

/** As much of a document as fits beside `taken` columns. */
function preview({ _id, ...fields }: Document, taken: number): string {
  const columns = Math.max(20, columnsOf(process.stdout) - taken);
  return clip(printable(stringify(fields)), columns);
}

// --- options ---

function queryOptions(flags: QueryFlags): QueryOptions {
  const { key, keys, prefix, range, limit, descending } = flags;
  if (range !== undefined && range.length !== 2) {
    throw new CliError('usage', `--range takes two keys, the first and the last`);
  }
  return {
    ...(key === undefined ? {} : { key: parseKey(key) }),
    ...(keys === undefined ? {} : { keys: keys.map(parseKey) }),
    ...(prefix === undefined ? {} : { prefix: parseKey(prefix) }),
    ...(range === undefined ? {} : { range: [parseKey(range[0]!), parseKey(range[1]!)] }),
    ...(limit === undefined ? {} : { limit }),
    ...(descending === undefined ? {} : { descending }),
  };
}

function parseKey(text: string): DocumentValue {
  try {
    return parseJson(text) as DocumentValue;
  } catch (error) {
    if (error instanceof CliError) return text;
    throw error;
  }
}

export function parseLimit(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a number of rows.');
}
