import { addAbortSignal } from 'node:stream';
import type { Command } from 'commander';
import { DocumentError, type Document, type ImportReport, type Ledger } from '../../index.ts';
import { CliError } from '../errors.ts';
import { detectKind } from '../input-kind.ts';
import { openInput, type Input } from '../input.ts';
import { interruptible, pause } from '../interrupt.ts';
import { JsonStream, type JsonLayout } from '../json-stream.ts';
import { useLedger } from '../ledger.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import { counted, formatBytes, formatCount } from '../terminal.ts';

/** Records and bytes of input that go into the ledger at once. */
const BATCH_RECORDS = 4096;
const BATCH_BYTES = 4 * 1024 * 1024;

interface ImportOptions {
  readonly id?: string;
}

export function addImportCommand(program: Command, output: Output): void {
  program
    .command('import')
    .description('store the documents of a JSON array or NDJSON file, or merge a CAR')
    .argument('<file>', 'the file; - for stdin. What it holds is told from its first bytes')
    .option('--id <field>', 'the field that gives each document its _id (default: _id itself)')
    .action(async (path: string, options: ImportOptions, command: Command) => {
      const input = await openInput(path);
      await useLedger(command, 'create', (ledger) =>
        interruptible((signal) => {
          addAbortSignal(signal, input.stream);
          return importInput(ledger, input, options, output, signal);
        }),
      );
    });
}

async function importInput(
  ledger: Ledger,
  input: Input,
  options: ImportOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const progress = new Progress(`importing ${input.name}`, { silent: output.json });
  let records: RecordImport | undefined;
  try {
    const chunks = counting(input, progress, () => records?.stored);
    const { kind, all } = await detectKind(chunks);
    if (kind === 'car') {
      const report = await ledger.import(all);
      progress.end();
      await reportCar(report, output);
      return;
    }
    records = new RecordImport(ledger, kind, options.id);
    for await (const chunk of all) {
      await records.write(chunk);
      signal.throwIfAborted();
    }
    await records.end();
    progress.end();
    if (output.json) await output.value({ documents: records.stored, clock: ledger.clock });
    else await output.line(`imported ${counted(records.stored, 'document')}`);
  } catch (error) {
    progress.end();
    if (records !== undefined) {
      output.note(`stored before this: ${counted(records.stored, 'document')}`);
    }
    if (error instanceof CliError && error.code === 'bad-input') {
      throw new CliError('bad-input', `${input.name}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

async function reportCar({ blocks, added }: ImportReport, output: Output): Promise<void> {
  if (output.json) await output.value({ blocks, added });
  else await output.line(`merged ${counted(blocks, 'block')}, ${formatCount(added)} of them new`);
}

/** Records on their way into the ledger, in batches. */
class RecordImport {
  readonly #ledger: Ledger;
  readonly #idField: string | undefined;
  readonly #json: JsonStream;
  #batch: Document[] = [];
  #batchBytes = 0;
  #stored = 0;

  constructor(ledger: Ledger, layout: JsonLayout, idField: string | undefined) {
    this.#ledger = ledger;
    this.#idField = idField;
    this.#json = new JsonStream(layout, (record) => this.#batch.push(this.#toDocument(record)));
  }

  get stored(): number {
    return this.#stored;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#orStoreBefore(() => this.#json.write(chunk));
    this.#batchBytes += chunk.length;
    if (this.#batch.length >= BATCH_RECORDS || this.#batchBytes >= BATCH_BYTES) await this.#store();
  }

  async end(): Promise<void> {
    await this.#orStoreBefore(() => this.#json.end());
    await this.#store();
  }

  /** A bad record does not take those before it with it. */
  async #orStoreBefore(step: () => void): Promise<void> {
    try {
      step();
    } catch (error) {
      await this.#store();
      throw error;
    }
  }

  async #store(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    try {
      await this.#ledger.bulk(batch);
      this.#stored += batch.length;
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      await this.#storeUpTo(batch);
    }
    await pause();
  }

  /** One document of the batch is refused: stores those before it, and says which one it is. */
  async #storeUpTo(batch: readonly Document[]): Promise<void> {
    for (const document of batch) {
      try {
        await this.#ledger.bulk([document]);
        this.#stored++;
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error;
        throw new CliError('bad-input', `record ${this.#stored + 1}: ${error.message}`, {
          cause: error,
        });
      }
    }
  }

  #toDocument(record: unknown): Document {
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw new CliError('bad-input', 'a record is a JSON object');
    }
    const fields = record as Record<string, unknown>;
    const field = this.#idField ?? '_id';
    const id = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (id === undefined) {
      const hint = this.#idField === undefined ? '; name the field to use by --id' : '';
      throw new CliError('bad-input', `it has no field '${field}'${hint}`);
    }
    // Other systems number their records; an _id is text. What else is wrong the ledger tells.
    fields['_id'] = typeof id === 'number' || typeof id === 'bigint' ? id.toString() : id;
    return fields as Document;
  }
}

async function* counting(
  input: Input,
  progress: Progress,
  stored: () => number | undefined,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const chunk of input.stream as AsyncIterable<Uint8Array>) {
    yield chunk;
    done += chunk.length;
    progress.update(() => {
      const documents = stored();
      const detail = [formatBytes(done)];
      if (input.bytes !== undefined) detail.push(` of ${formatBytes(input.bytes)}`);
      if (documents !== undefined) detail.push(`, ${counted(documents, 'document')}`);
      return { fraction: input.bytes && done / input.bytes, detail: detail.join('') };
    });
  }
}
