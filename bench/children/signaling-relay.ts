import { createSignalingServer } from '../../src/server.ts';
import { startBareRelay } from '../signaling/bare-relay.ts';
import type { RelayTask, Usage } from '../signaling/kinds.ts';
import { pinTo } from '../signaling/pin.ts';

/** The server that is measured, on the first core; tells its address, and its usage when asked. */
async function main({ kind, brokerUrl }: RelayTask): Promise<string> {
  if (kind === 'bare' || kind === 'json') return startBareRelay(kind === 'json');
  const most = 1_000_000;
  const server = createSignalingServer({
    host: '127.0.0.1',
    port: 0,
    // All clients come from one address, and send what the others can take, not what is polite.
    maxConnections: most,
    maxConnectionsPerAddress: most,
    messagesPerSecond: most,
    bytesPerSecond: 2 ** 30,
    messagesPerSecondPerAddress: most,
    bytesPerSecondPerAddress: 2 ** 30,
    // The generator answers no pings.
    heartbeatSeconds: 3600,
    logLevel: 'warn',
    brokerUrls: brokerUrl === undefined ? [] : [brokerUrl],
  });
  return (await server.listen()).url;
}

function usage(isExact: boolean): Usage {
  // It costs time: only where memory is asked for.
  if (isExact) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { rss, held: heapUsed + external, cpuMs: (user + system) / 1000 };
}

pinTo(0);
process.on('message', (isExact: boolean) => process.send!(usage(isExact)));
process.on('disconnect', () => process.exit());
process.send!(await main(JSON.parse(process.argv[2]!) as RelayTask));
