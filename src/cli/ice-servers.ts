import { Option } from 'commander';
import type { SyncOptions } from '../index.ts';
import { CliError } from './errors.ts';

type IceServer = NonNullable<SyncOptions['iceServers']>[number];

/** `--ice-server`, whose values `parseIceServers` reads. */
export function iceServerOption(): Option {
  return new Option(
    '--ice-server <url>',
    'a STUN or TURN server: stun:host:port or turn:user:password@host:port; none for none. ' +
      'May be given several times',
  ).argParser((url: string, before?: readonly string[]) => [...(before ?? []), url]);
}

/**
 * As an option of `Sync` and `joinRoom`: left out where nothing was given.
 * @throws CliError `usage`
 */
export function parseIceServers(urls: readonly string[] | undefined): { iceServers?: IceServer[] } {
  if (urls === undefined) return {};
  return { iceServers: urls.filter((url) => url !== 'none').map(parseIceServer) };
}

function parseIceServer(url: string): IceServer {
  const parts = /^(stuns?|turns?):(?:([^:@]+):([^@]+)@)?([^@]+)$/.exec(url);
  if (parts === null) {
    throw new CliError('usage', `'${url}' is no STUN or TURN server: see --help`);
  }
  const [, scheme, username, credential, host] = parts;
  const urls = `${scheme}:${host}`;
  return username === undefined || credential === undefined
    ? { urls }
    : { urls, username, credential };
}
