import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Where other machines of the same network find this one, the most likely address first. */
export function networkAddresses(
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): string[] {
  return Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
    .sort((a, b) => rank(a) - rank(b));
}

/** Homes use 192.168; those of containers and virtual machines begin with 172 as a rule. */
function rank(address: string): number {
  if (address.startsWith('192.168.')) return 0;
  return address.startsWith('172.') ? 2 : 1;
}
