import { Counter, Gauge, Registry } from 'prom-client';
import type { Broker } from './broker.ts';
import type { Counts } from './counts.ts';

export interface Gauges {
  readonly connections: () => number;
  readonly rooms: () => number;
  readonly members: () => number;
}

/** The counts of one server for Prometheus. Labels are codes from closed lists, never names. */
export function createMetrics(
  counts: Counts,
  gauges: Gauges,
  broker: Broker | undefined,
): Registry {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    void new Gauge({
      name: PREFIX + name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    void new Counter({
      name: `${PREFIX}${name}_total`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  const counterBy = (
    name: string,
    help: string,
    label: string,
    read: Readonly<Record<string, number>>,
  ): void => {
    void new Counter({
      name: `${PREFIX}${name}_total`,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [key, value] of Object.entries(read)) this.inc({ [label]: key }, value);
      },
    });
  };
  gauge('connections', 'Connections that are open.', gauges.connections);
  gauge('rooms', 'Rooms with members connected here.', gauges.rooms);
  gauge('members', 'Places in rooms that connections here have.', gauges.members);
  gauge('resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss());
  counter('connections_opened', 'Connections since the start.', () => counts.connections);
  counter('messages_relayed', 'Messages passed on.', () => counts.messagesRelayed);
  counter('relayed_bytes', 'Bytes of data in them.', () => counts.bytesRelayed);
  counter('slow_readers', 'Connections ended as too much was unsent.', () => counts.slowReaders);
  counter('half_open', 'Connections ended as no ping was answered.', () => counts.halfOpen);
  counter('idle', 'Connections closed as they were in no room.', () => counts.idle);
  counter('bad_frames', 'Frames that broke the rules of WebSocket.', () => counts.badFrames);
  counter('failures', 'Connections ended by a fault of the server.', () => counts.failures);
  const { refusals, upgradesRefused } = counts;
  counter(
    'auth_failures',
    'Joins refused for want of a right token.',
    () => refusals.unauthorized + refusals['room-not-allowed'],
  );
  counterBy('refusals', 'Messages refused, by error code.', 'code', refusals);
  counterBy('upgrades_refused', 'Connections refused, by reason.', 'reason', upgradesRefused);
  if (broker !== undefined) {
    void new Gauge({
      name: `${PREFIX}broker_up`,
      help: 'Whether words get through to other servers.',
      labelNames: ['broker'],
      registers,
      collect() {
        this.set({ broker: broker.name }, broker.isUp ? 1 : 0);
      },
    });
    const words = broker.counts;
    counter('broker_published', 'Words published to other servers.', () => words.published);
    counter('broker_received', 'Words of other servers.', () => words.received);
    counter('broker_dropped', 'Words that the broker could not take.', () => words.dropped);
    counter('broker_malformed', 'Words that were none, passed over.', () => words.malformed);
  }
  return registry;
}

const PREFIX = 'emberlink_signal_';
