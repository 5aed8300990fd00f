import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LedgerError, StorageError } from '../errors.ts';
import { errorCode, storageError } from './file-errors.ts';

/*
 * One writer per folder: the file `lock` says which process writes here. A process that was killed
 * leaves its lock behind, so a lock counts only while its process lives.
 *
 * 1. A lock file appears with its whole content in one step (a link to a finished file).
 * 2. Nobody removes a lock that is not theirs. A dead lock is replaced by its one successor: whoever
 *    creates the file that is named after the dead lock's token, then finds the dead lock still in
 *    place, renames that file to `lock`.
 * 3. A successor that died on the way is succeeded in the same manner.
 */

const LOCK_FILE = 'lock';

interface Holder {
  readonly pid: number;
  /** What tells the process from another one with its pid; empty where the system does not say. */
  readonly born: string;
  readonly token: string;
}

/** More rounds than any race needs: each one means that another process got ahead of us. */
const MAX_ROUNDS = 1000;

/**
 * Takes the folder's lock and returns the function that gives it back.
 * @throws LedgerError `locked` when a living process holds it, this one included
 * @throws StorageError when the lock cannot be written
 */
export function lockFolder(folder: string): () => void {
  const own: Holder = {
    pid: process.pid,
    born: birthOf(process.pid) ?? '',
    token: randomBytes(16).toString('hex'),
  };
  const path = join(folder, LOCK_FILE);
  try {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (tryLock(folder, path, own)) return () => unlock(path, own);
    }
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    throw storageError(error, `cannot lock ${folder}`);
  }
  throw new StorageError('io', `cannot lock ${folder}: others keep getting ahead`);
}

/** True when the name belongs to the lock, not to what the folder keeps. */
export function isLockName(name: string): boolean {
  return name === LOCK_FILE || name.startsWith(`${LOCK_FILE}.`);
}

/** One attempt: taken, or refused by an error; false when the picture changed on the way. */
function tryLock(folder: string, path: string, own: Holder): boolean {
  const dead: { path: string; token: string }[] = [];
  for (let place = path; ;) {
    if (createExclusively(place, own)) {
      if (place === path) return true;
      return succeed(dead, place, path);
    }
    const holder = readHolder(place);
    if (holder === 'none') return false;
    if (isAlive(holder)) {
      throw new LedgerError('locked', `${folder} is in use by the process with pid ${holder.pid}`);
    }
    dead.push({ path: place, token: holder.token });
    place = `${path}.${dead.length}-after-${holder.token}`;
  }
}

/** Puts our claim in the place of the dead locks, unless somebody has done so since we read them. */
function succeed(
  dead: readonly { path: string; token: string }[],
  claim: string,
  path: string,
): boolean {
  for (const { path: deadPath, token } of dead) {
    const holder = readHolder(deadPath);
    if (holder === 'none' || holder.token !== token) {
      rmSync(claim, { force: true });
      return false;
    }
  }
  renameSync(claim, path);
  for (const { path: deadPath } of dead) if (deadPath !== path) rmSync(deadPath, { force: true });
  return true;
}

function unlock(path: string, own: Holder): void {
  try {
    const holder = readHolder(path);
    if (holder !== 'none' && holder.token === own.token) rmSync(path, { force: true });
  } catch (error) {
    throw storageError(error, `cannot give back ${path}`);
  }
}

/** False when there is such a file already. */
function createExclusively(path: string, own: Holder): boolean {
  const content = `${own.pid}\n${own.born}\n${own.token}\n`;
  const draft = `${path}.new-${own.token}`;
  try {
    writeFileSync(draft, content);
    linkSync(draft, path);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return false;
    // File systems without hard links: here a kill between the two steps leaves an empty lock,
    // which counts as dead.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') {
      return writeExclusively(path, content);
    }
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeExclusively(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** A lock that cannot be read as one was damaged by a power loss: its holder is dead (pid 0). */
function readHolder(path: string): Holder | 'none' {
  let content: string;
  try {
    content = readFileSync(path, 'latin1');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'none';
    throw error;
  }
  const fields = /^([1-9]\d{0,9})\n([0-9a-f:-]{0,100})\n([0-9a-f]{32})\n$/.exec(content);
  if (fields === null) return { pid: 0, born: '', token: 'unreadable' };
  return { pid: Number(fields[1]), born: fields[2]!, token: fields[3]! };
}

function isAlive({ pid, born }: Holder): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, but belongs to another user.
    if (errorCode(error) === 'ESRCH') return false;
  }
  const present = birthOf(pid);
  if (present === undefined || born === '') return true;
  return present === born;
}

/**
 * The boot and the time since it at which a process started (Linux: field 22 of its stat, in clock
 * ticks), so that a new process with an old pid, such as pid 1 of every container, is told apart.
 * Undefined where the system does not say; `gone` for a zombie, which has given up its files.
 */
function birthOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in brackets and may hold anything, so count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'gone';
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return fields[19] === undefined ? undefined : `${boot}:${fields[19]}`;
  } catch {
    // There is no /proc, or it hides other users' processes.
    return undefined;
  }
}
