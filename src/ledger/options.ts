import { MAX_BLOCK_BYTES } from '../blocks.ts';
import { LedgerError } from '../errors.ts';
import { isNode } from '../is-node.ts';
import { loadPart } from '../load-part.ts';
import { IndexedDbPlace } from '../storage/indexeddb.ts';
import { MemoryPlace } from '../storage/memory.ts';
import { Persistence } from '../storage/persistence.ts';
import type { Place } from '../storage/place.ts';
import { DEFAULT_FUTURE_TOLERANCE_MS } from './clock.ts';
import { DEFAULT_MAX_DOCUMENT_BYTES } from './document.ts';

export interface LedgerOptions {
  /**
   * Where the log lives: `files` (the default in Node), `indexeddb` (the default in browsers), `opfs` (in
   * a browser's dedicated worker, several times as fast), `memory`, or a place of your own.
   */
  readonly storage?: 'files' | 'memory' | 'indexeddb' | 'opfs' | Place;
  /** For `files`: the folder that holds a folder per ledger. Default `.emberlink`. */
  readonly folder?: string;
  /**
   * What a resolved write has survived. `relaxed` (the default): the end of this process, however
   * sudden. `strict`: the loss of power too, at the cost of a disk sync per commit.
   */
  readonly durability?: 'relaxed' | 'strict';
  /**
   * In browsers: asks for what is stored not to be cleared when the disk fills up, which some let their
   * user decide. The answer is `ledger.persisted`. Default false.
   */
  readonly persist?: boolean;
  /**
   * In browsers: `shared` (the default) for any number of tabs at a time, `exclusive` for this one, with
   * LedgerError `locked` when another has it.
   */
  readonly tabs?: 'shared' | 'exclusive';
  /**
   * `recent` (the default): a ledger that begins with a peer takes its state instead of its past where
   * that is less, and old commits give way to a snapshot when they outgrow the documents several times
   * over. `full`: every commit is asked for and kept, for `history` and `at`.
   */
  readonly history?: 'full' | 'recent';
  /**
   * How many bytes of the newest commits stay when older ones give way to a snapshot. Default 4 MiB.
   * Peers that were away for longer than they reach back are sent the snapshot.
   */
  readonly recentBytes?: number;
  /**
   * What an empty ledger begins with: a CAR such as `snapshot` or `export` makes, as bytes or by its
   * address, which is fetched. A ledger that holds something takes no notice of it.
   */
  readonly snapshot?: Uint8Array | string | URL;
  /** The largest document in bytes of dag-cbor without its `_id`. Default 1 MiB, at most 1.5 MiB. */
  readonly maxDocumentBytes?: number;
  /** Commits from further in the future than this wait. In milliseconds; default 5 minutes. */
  readonly futureToleranceMs?: number;
  /** Bound on the commits that wait for a parent or for their time, in bytes. Default 64 MiB. */
  readonly maxParkedBytes?: number;
  /** How many bytes of recently used commits are kept in memory. Default 8 MiB. */
  readonly cacheBytes?: number;
  /** A segment of the log that has grown beyond this many bytes is followed by a new one. 64 MiB. */
  readonly segmentBytes?: number;
  /** The wall clock, in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

export interface CheckedOptions {
  readonly durability: 'relaxed' | 'strict';
  readonly history: 'full' | 'recent';
  readonly recentBytes: number;
  readonly maxDocumentBytes: number;
  readonly futureToleranceMs: number;
  readonly maxParkedBytes: number;
  readonly cacheBytes: number;
  readonly segmentBytes: number;
  readonly now: () => number;
}

const MEBIBYTE = 1024 * 1024;
const GREATEST_DOCUMENT_BYTES = MAX_BLOCK_BYTES - MEBIBYTE / 2;

/** @throws LedgerError `invalid-option` */
export function checkLedgerOptions(options: LedgerOptions): CheckedOptions {
  const { durability = 'relaxed', history = 'recent', now = Date.now } = options;
  if (durability !== 'relaxed' && durability !== 'strict') {
    throw new LedgerError('invalid-option', `durability is 'relaxed' or 'strict'`);
  }
  if (history !== 'full' && history !== 'recent') {
    throw new LedgerError('invalid-option', `history is 'full' or 'recent'`);
  }
  if (typeof now !== 'function') {
    throw new LedgerError(
      'invalid-option',
      'now is a function that tells the time in milliseconds',
    );
  }
  const { tabs } = options;
  if (tabs !== undefined && tabs !== 'shared' && tabs !== 'exclusive') {
    throw new LedgerError('invalid-option', `tabs is 'shared' or 'exclusive'`);
  }
  if (options.persist !== undefined && typeof options.persist !== 'boolean') {
    throw new LedgerError('invalid-option', 'persist is true or false');
  }
  if (options.folder !== undefined && (typeof options.folder !== 'string' || !options.folder)) {
    throw new LedgerError('invalid-option', 'folder is a path');
  }
  const number = (name: keyof LedgerOptions, standard: number, greatest = Infinity): number => {
    const value = options[name] ?? standard;
    if (typeof value === 'number' && value >= 0 && value <= greatest) return value;
    throw new LedgerError(
      'invalid-option',
      `${name} is a number from 0 to ${greatest}, not ${JSON.stringify(value)}`,
    );
  };
  return {
    durability,
    history,
    recentBytes: number('recentBytes', 4 * MEBIBYTE),
    maxDocumentBytes: number(
      'maxDocumentBytes',
      DEFAULT_MAX_DOCUMENT_BYTES,
      GREATEST_DOCUMENT_BYTES,
    ),
    futureToleranceMs: number('futureToleranceMs', DEFAULT_FUTURE_TOLERANCE_MS),
    maxParkedBytes: number('maxParkedBytes', 64 * MEBIBYTE),
    cacheBytes: number('cacheBytes', 8 * MEBIBYTE),
    segmentBytes: number('segmentBytes', 64 * MEBIBYTE, 2 ** 31),
    now,
  };
}

/**
 * A ledger's name is also the name of its folder: letters, digits, `.`, `_` and `-`, up to 100, with a
 * letter or digit at both ends. So no name leaves the folder it belongs in, on any system.
 * @throws LedgerError `invalid-name`
 */
export function checkLedgerName(name: unknown): asserts name is string {
  if (typeof name === 'string' && NAME.test(name) && !RESERVED.test(name)) return;
  throw new LedgerError(
    'invalid-name',
    `a ledger's name has 1 to 100 letters, digits, '.', '_' or '-', and a letter or digit at both ends; got ${JSON.stringify(name)}`,
  );
}

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$/;
/** Names that Windows keeps for devices. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

const loadOpfsPlace = loadPart(() => import('../storage/opfs.ts'), LedgerError);

/** @throws LedgerError `no-storage`, `locked`, `not-loaded`; StorageError */
export async function openPlace(name: string, options: LedgerOptions): Promise<Place> {
  const { storage = standardStorage(), durability = 'relaxed' } = options;
  switch (storage) {
    case 'memory':
      return new MemoryPlace();
    case 'indexeddb':
      return IndexedDbPlace.open(name, { durability });
    case 'opfs':
      return (await loadOpfsPlace()).OpfsPlace.open(name);
    case 'files': {
      if (!isNode()) {
        throw new LedgerError(
          'no-storage',
          `there are no files here: leave storage to its default`,
        );
      }
      const { FilesPlace } = await import('../storage/files.ts');
      return FilesPlace.open(`${options.folder ?? '.emberlink'}/${name}`);
    }
  }
  if (typeof storage === 'object' && storage !== null) return storage;
  throw new LedgerError(
    'invalid-option',
    `storage is 'files', 'indexeddb', 'opfs', 'memory' or a place of your own`,
  );
}

function standardStorage(): 'files' | 'indexeddb' {
  if (isNode()) return 'files';
  if (typeof indexedDB !== 'undefined') return 'indexeddb';
  throw new LedgerError(
    'no-storage',
    `there is neither Node's file system nor IndexedDB here: open with storage: 'memory', or a place of your own`,
  );
}

/** What the browser says about keeping data; undefined where the place is not a browser's. */
export function persistenceOf(options: LedgerOptions): Persistence | undefined {
  return isBrowserStorage(options) ? new Persistence(options.persist ?? false) : undefined;
}

/** True for what all tabs of an origin can open. */
export function isBrowserStorage({ storage }: LedgerOptions): boolean {
  const kept = storage ?? (isNode() ? 'files' : 'indexeddb');
  return kept === 'indexeddb' || kept === 'opfs';
}
