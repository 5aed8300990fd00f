import { equalBytes } from '../bytes.ts';
import { StorageError } from '../errors.ts';
import { DIGEST_BYTES, sha256 } from '../sha256.ts';
import type { SyncAccessHandle } from './access-handle.ts';
import { isPlainName } from './place.ts';

/** Between the name of a replaced file and the number of its replacement; no plain name has it. */
export const REPLACED_MARK = '~';

const VERSION = 1;
/** The table is written to two slots in turn, so that one of them is always whole. */
const SLOT_BYTES = 4096;

interface Table {
  readonly version: number;
  readonly sequence: number;
  /** The number of the replacement that counts, by name. */
  readonly replaced: Readonly<Record<string, number>>;
}

/** Which file counts where a name has had several: see opfs.ts. */
export class ReplacedNames {
  #table: Table;

  private constructor(table: Table) {
    this.#table = table;
  }

  /** @throws StorageError `unsupported-version` */
  static read(handle: SyncAccessHandle, where: string): ReplacedNames {
    const bytes = new Uint8Array(2 * SLOT_BYTES);
    const size = handle.read(bytes, { at: 0 });
    const slots = [bytes.subarray(0, SLOT_BYTES), bytes.subarray(SLOT_BYTES, size)];
    const tables = slots.flatMap((slot) => decode(slot) ?? []);
    if (tables.some(({ version }) => version > VERSION)) {
      const what = `${where} was written by a newer version of emberlink, and is left as it is`;
      throw new StorageError('unsupported-version', what);
    }
    tables.sort((a, b) => b.sequence - a.sequence);
    if (tables[0] !== undefined) return new ReplacedNames(tables[0]);
    const names = new ReplacedNames({ version: VERSION, sequence: 0, replaced: {} });
    names.#write(handle, names.#table);
    return names;
  }

  /** The number of the next replacement. */
  get next(): number {
    return this.#table.sequence + 1;
  }

  /**
   * The name of the file that is stored under `stored`; undefined when it counts no more, or not yet.
   * @param all what else is stored
   */
  nameOf(stored: string, all: readonly string[]): string | undefined {
    const [name, number] = stored.split(REPLACED_MARK) as [string, string?];
    if (!isPlainName(name)) return undefined;
    const counts = this.#table.replaced[name];
    if (number !== undefined) return counts === Number(number) ? name : undefined;
    // Removed and created anew, it has its plain name again.
    return all.includes(`${name}${REPLACED_MARK}${counts}`) ? undefined : name;
  }

  /** Makes the next replacement that of `name`, in one step that survives the loss of power. */
  set(handle: SyncAccessHandle, name: string): void {
    const replaced = { ...this.#table.replaced, [name]: this.next };
    const table = { version: VERSION, sequence: this.next, replaced };
    this.#write(handle, table);
    this.#table = table;
  }

  #write(handle: SyncAccessHandle, table: Table): void {
    const text = new TextEncoder().encode(JSON.stringify(table));
    const slot = new Uint8Array(SLOT_BYTES);
    if (text.length > SLOT_BYTES - DIGEST_BYTES) {
      throw new StorageError('io', 'too many files have been replaced');
    }
    slot.set(sha256(text));
    slot.set(text, DIGEST_BYTES);
    const at = (table.sequence % 2) * SLOT_BYTES;
    if (handle.write(slot, { at }) !== SLOT_BYTES) {
      throw new StorageError('full', 'the table of files takes no more bytes');
    }
    handle.flush();
  }
}

/** Undefined for a slot that was never written, or not whole. */
function decode(slot: Uint8Array): Table | undefined {
  const end = slot.indexOf(0, DIGEST_BYTES);
  const text = slot.subarray(DIGEST_BYTES, end === -1 ? undefined : end);
  if (text.length === 0 || !equalBytes(sha256(text), slot.subarray(0, DIGEST_BYTES))) {
    return undefined;
  }
  return JSON.parse(new TextDecoder().decode(text)) as Table;
}
