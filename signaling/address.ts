import { isIP, isIPv4 } from 'node:net';

/**
 * Where a client is. Behind proxies that is what the outermost of those that are trusted has seen:
 * each appends the address that it was called from, so entries are counted from the end. A header that
 * is too short, or holds no address there, did not come through them all: then it is the caller's.
 * @param trustedProxies how many; with 0 the header means nothing
 */
export function clientAddress(
  caller: string | undefined,
  forwardedFor: string | undefined,
  trustedProxies: number,
): string {
  const entries = forwardedFor?.split(',') ?? [];
  const entry = trustedProxies === 0 ? undefined : entries.at(-trustedProxies);
  const forwarded = entry === undefined ? undefined : withoutPort(entry.trim());
  const address = forwarded !== undefined && isIP(forwarded) !== 0 ? forwarded : (caller ?? '');
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** What counts as one client: an IPv4 address; of IPv6 the /64, of which one client has all. */
export function addressGroup(address: string): string {
  return isIP(address) === 6 ? `${ipv6Groups(address).slice(0, 4).join(':')}::/64` : address;
}

/** As much of an address as a log may keep: IPv4 /24, IPv6 /48. */
export function maskedAddress(address: string): string {
  if (isIPv4(address)) return address.replace(/\d+$/, '0/24');
  return isIP(address) === 6 ? `${ipv6Groups(address).slice(0, 3).join(':')}::/48` : 'unknown';
}

function withoutPort(entry: string): string {
  return (
    /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ??
    /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ??
    entry
  );
}

/** The first eight groups of an IPv6 address, without leading zeros. */
function ipv6Groups(address: string): string[] {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const groups = (part: string): string[] =>
    part
      .split(':')
      .flatMap((group) => (group === '' ? [] : [group.replace(/^0+(?=.)/, '').toLowerCase()]));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return tail === undefined ? before : [...before, ...zeros, ...after];
}
