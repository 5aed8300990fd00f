import { StorageError } from '../../src/errors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLocalLedger } from '../../src/ledger/local-ledger.ts';
import type { LedgerOptions } from '../../src/ledger/options.ts';
import { type MemoryFiles, MemoryPlace } from '../../src/storage/memory.ts';
import type { Place } from '../../src/storage/place.ts';
import type { TabChannel, TabEnvironment } from '../../src/tabs/environment.ts';
import { openSharedLedger } from '../../src/tabs/open-shared-ledger.ts';
import type { Random } from '../support/random.ts';

/** What the tabs of one origin share in a browser, in one process: locks, channels, a disk. */
export class FakeOrigin {
  readonly tabs: FakeTab[] = [];
  readonly locks: Map<string, FakeLock> = new Map();
  readonly channels: Map<string, Set<FakeChannel>> = new Map();
  readonly disks: Map<string, Disk> = new Map();
  readonly random: Random | undefined;

  /** @param random makes everything take its time, a different one each time */
  constructor(random?: Random) {
    this.random = random;
  }

  newTab(): FakeTab {
    const tab = new FakeTab(this);
    this.tabs.push(tab);
    return tab;
  }

  /** Whoever holds the lock, those in line behind it. */
  lock(name: string): FakeLock {
    let lock = this.locks.get(name);
    if (lock === undefined) this.locks.set(name, (lock = new FakeLock()));
    return lock;
  }

  disk(name: string): Disk {
    let disk = this.disks.get(name);
    if (disk === undefined) this.disks.set(name, (disk = { files: new Map(), epoch: 0 }));
    return disk;
  }
}

interface Disk {
  readonly files: MemoryFiles;
  epoch: number;
}

interface FakeChannel {
  readonly tab: FakeTab;
  hear(message: unknown): void;
}

interface Claim {
  readonly tab: FakeTab;
  grant(): void;
  readonly lose: () => void;
}

class FakeLock {
  holder: Claim | undefined;
  readonly line: Claim[] = [];

  release(claim: Claim): void {
    const at = this.line.indexOf(claim);
    if (at >= 0) this.line.splice(at, 1);
    if (this.holder !== claim) return;
    this.holder = undefined;
    this.next();
  }

  next(): void {
    if (this.holder !== undefined) return;
    this.holder = this.line.shift();
    this.holder?.grant();
  }
}

/** A tab: it can freeze, so that nothing happens in it until it thaws, and it can be killed. */
export class FakeTab {
  readonly environment: TabEnvironment;
  readonly #origin: FakeOrigin;
  #state: 'running' | 'frozen' | 'killed' = 'running';
  /** What happens next in this tab, in this order. */
  #due: (() => void)[] = [];
  #pumping = false;

  constructor(origin: FakeOrigin) {
    this.#origin = origin;
    this.environment = {
      locks: { request: this.#request.bind(this) } as TabEnvironment['locks'],
      openChannel: (name, hear) => this.#openChannel(name, hear),
      watchFreezing: () => () => {},
      askAgainMs: 10,
    };
  }

  get state(): 'running' | 'frozen' | 'killed' {
    return this.#state;
  }

  open(name: string, options: LedgerOptions = {}): Promise<Ledger> {
    return openSharedLedger(name, options, this.environment, async () => {
      const storage = new FencedPlace(this, this.#origin.disk(name));
      return openLocalLedger(name, { ...options, storage });
    });
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'running';
    this.#pump();
  }

  kill(): void {
    this.#state = 'killed';
    this.#due = [];
    for (const channels of this.#origin.channels.values()) {
      for (const channel of channels) if (channel.tab === this) channels.delete(channel);
    }
    for (const lock of this.#origin.locks.values()) {
      for (const claim of [...lock.line, lock.holder]) if (claim?.tab === this) lock.release(claim);
    }
  }

  /** Runs this later, when the tab runs, after all that was to happen before. */
  later(task: () => void): void {
    if (this.#state === 'killed') return;
    this.#due.push(task);
    this.#pump();
  }

  #pump(): void {
    if (this.#pumping || this.#state !== 'running' || this.#due.length === 0) return;
    this.#pumping = true;
    let turns = 1 + (this.#origin.random?.below(4) ?? 0);
    const turn = (): void => {
      if (--turns > 0) return void setImmediate(turn);
      this.#pumping = false;
      if (this.#state === 'running') this.#due.shift()?.();
      this.#pump();
    };
    setImmediate(turn);
  }

  #openChannel(name: string, hear: (message: unknown) => void): TabChannel {
    const all = this.#origin.channels.get(name) ?? new Set();
    this.#origin.channels.set(name, all);
    const channel: FakeChannel = { tab: this, hear };
    let isOpen = true;
    all.add(channel);
    return {
      post: (message) => {
        const copy: unknown = structuredClone(message);
        this.later(() => {
          for (const other of all) {
            if (other === channel) continue;
            other.tab.later(() => {
              if (all.has(other)) other.hear(structuredClone(copy));
            });
          }
        });
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        // What was posted before still goes out.
        this.later(() => all.delete(channel));
      },
    };
  }

  #request(
    name: string,
    options: LockOptions,
    callback: (lock: Lock | null) => Promise<unknown>,
  ): Promise<unknown> {
    const lock = this.#origin.lock(name);
    return new Promise((resolve, reject) => {
      const lose = (): void => this.later(() => reject(new DOMException('', 'AbortError')));
      const claim: Claim = {
        tab: this,
        lose,
        grant: () =>
          this.later(() => {
            callback({ name, mode: 'exclusive' }).then(
              (value) => {
                lock.release(claim);
                resolve(value);
              },
              (error: unknown) => {
                lock.release(claim);
                reject(error as Error);
              },
            );
          }),
      };
      if (options.ifAvailable === true && (lock.holder !== undefined || lock.line.length > 0)) {
        this.later(() => void callback(null).then(resolve, reject));
        return;
      }
      if (options.steal === true) {
        lock.holder?.lose();
        lock.holder = undefined;
        lock.line.unshift(claim);
      } else lock.line.push(claim);
      options.signal?.addEventListener('abort', () => {
        if (lock.holder === claim) return;
        lock.release(claim);
        lose();
      });
      lock.next();
    });
  }
}

/** A place on a disk that belongs to whoever opened it last. */
class FencedPlace implements Place {
  readonly #tab: FakeTab;
  readonly #disk: Disk;
  readonly #epoch: number;
  readonly #place: MemoryPlace;

  constructor(tab: FakeTab, disk: Disk) {
    this.#tab = tab;
    this.#disk = disk;
    this.#epoch = ++disk.epoch;
    this.#place = new MemoryPlace(disk.files);
  }

  list(): Promise<{ name: string; size: number }[]> {
    return this.#do(() => this.#place.list());
  }

  read(name: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#do(() => this.#place.read(name, offset, length));
  }

  append(name: string, bytes: Uint8Array): Promise<void> {
    return this.#change(() => this.#place.append(name, bytes));
  }

  truncate(name: string, size: number): Promise<void> {
    return this.#change(() => this.#place.truncate(name, size));
  }

  sync(name: string): Promise<void> {
    return this.#do(() => this.#place.sync(name));
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    return this.#change(() => this.#place.replace(name, bytes));
  }

  remove(name: string): Promise<void> {
    return this.#change(() => this.#place.remove(name));
  }

  close(): Promise<void> {
    return this.#do(() => this.#place.close());
  }

  destroy(): Promise<void> {
    return this.#change(() => this.#place.destroy());
  }

  #change<T>(change: () => T): Promise<T> {
    return this.#do(() => {
      if (this.#disk.epoch === this.#epoch) return change();
      throw new StorageError('replaced', 'it was opened again since');
    });
  }

  /** The disk does it even if the tab does not live to hear of it. */
  #do<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#tab.later(() => {
        let result: T;
        try {
          result = work();
        } catch (error) {
          return this.#tab.later(() => reject(error as Error));
        }
        this.#tab.later(() => resolve(result));
      });
    });
  }
}
