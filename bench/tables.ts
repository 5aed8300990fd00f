import type { Metrics } from './workloads/workload.ts';

type Format = 'ms' | 'bytes' | 'perSecond' | 'count' | 'decimal' | 'factor';

export interface Column {
  readonly title: string;
  readonly format: Format;
  readonly value: string | ((metrics: Metrics) => number);
  /** Which way is better: a column with the ratio to the best of the others follows. */
  readonly compare?: 'less' | 'more';
}

/** What this library holds itself to. */
export interface Target {
  readonly title: string;
  readonly metric: string;
  readonly limit: number;
  readonly better: 'less' | 'more';
  /** Only for tables of this size. */
  readonly n?: number;
  /** Only for rows whose name contains this. */
  readonly row?: string;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly targets: readonly Target[];
}

const MB = 1_000_000;

const time: Column = { title: 'time', format: 'ms', value: 'ms', compare: 'less' };
const overPipe: Column = {
  title: 'over the bare pipe',
  format: 'factor',
  value: ({ ms, floorMs }) => ms! / floorMs!,
};
const traffic: readonly Column[] = [
  { title: 'bytes A to B', format: 'bytes', value: 'bytesToBob' },
  { title: 'bytes B to A', format: 'bytes', value: 'bytesToAlice' },
  { title: 'bytes', format: 'bytes', value: 'bytes', compare: 'less' },
];
const messages: Column = { title: 'messages', format: 'count', value: 'messages' };
const peakMemory: Column = { title: 'peak RSS', format: 'bytes', value: 'peakRss' };

const inSyncTargets: readonly Target[] = [
  { title: 'time', metric: 'ms', limit: 1, better: 'less' },
  { title: 'bytes to B', metric: 'bytesToBob', limit: 200, better: 'less' },
  { title: 'bytes to A', metric: 'bytesToAlice', limit: 200, better: 'less' },
];
const divergedTargets: readonly Target[] = [
  { title: 'time', metric: 'ms', limit: 25, better: 'less' },
  { title: 'over the news', metric: 'overNews', limit: 8000, better: 'less' },
];
const divergedColumns: readonly Column[] = [
  time,
  overPipe,
  ...traffic,
  { title: 'beyond the news', format: 'bytes', value: 'overNews' },
  messages,
  peakMemory,
];
const liveColumns: readonly Column[] = [
  { title: 'p50', format: 'ms', value: 'p50', compare: 'less' },
  { title: 'p99', format: 'ms', value: 'p99', compare: 'less' },
  {
    title: 'p50 over the bare pipe',
    format: 'factor',
    value: ({ p50, floorMs }) => p50! / floorMs!,
  },
  { title: 'bytes a write', format: 'bytes', value: 'bytes', compare: 'less' },
];
const liveTargets: readonly Target[] = [
  { title: 'p50', metric: 'p50', limit: 0.1, better: 'less' },
  { title: 'p99', metric: 'p99', limit: 1, better: 'less' },
];

export const TABLES: Readonly<Record<string, Table>> = {
  W1: {
    title: 'a fresh peer gets all documents',
    columns: [
      time,
      overPipe,
      ...traffic,
      { title: 'over the dag-cbor', format: 'factor', value: 'overCbor' },
      messages,
      peakMemory,
      { title: 'before the sync', format: 'bytes', value: 'peakRssBefore' },
      { title: 'idle RSS', format: 'bytes', value: 'idleRss' },
    ],
    targets: [
      { title: 'time', metric: 'ms', limit: 500, better: 'less', n: 100_000 },
      { title: 'bytes', metric: 'overCbor', limit: 1.05, better: 'less', n: 100_000 },
      { title: 'memory', metric: 'peakRss', limit: 200 * MB, better: 'less', n: 100_000 },
      {
        title: 'deflated',
        metric: 'bytes',
        limit: 5 * MB,
        better: 'less',
        n: 100_000,
        row: 'deflated',
      },
    ],
  },
  W2: {
    title: 'reconnecting with nothing new',
    columns: [time, ...traffic, messages],
    targets: inSyncTargets,
  },
  W2u: {
    title: 'two that never met, with the same documents',
    columns: [time, ...traffic, messages],
    targets: inSyncTargets,
  },
  W3: {
    title: 'both have news of 100 documents, written in one tick',
    columns: divergedColumns,
    targets: divergedTargets,
  },
  W3s: {
    title: 'both have news of 100 documents, each written by itself',
    columns: divergedColumns,
    targets: divergedTargets,
  },
  W4: {
    title: 'live: from a write to the other side’s subscriber, new documents',
    columns: [
      ...liveColumns,
      { title: 'beyond the document', format: 'bytes', value: 'overDocument' },
    ],
    targets: [
      ...liveTargets,
      { title: 'bytes beyond the document', metric: 'overDocument', limit: 100, better: 'less' },
    ],
  },
  W4u: {
    title: 'live: the same, one field changed',
    columns: liveColumns,
    targets: [...liveTargets, { title: 'bytes', metric: 'bytes', limit: 150, better: 'less' }],
  },
  W5: {
    title: 'writes of one replica alone, per second',
    columns: [
      { title: 'one at a time', format: 'perSecond', value: 'singlePerSecond', compare: 'more' },
      {
        title: '1,000 in a tick',
        format: 'perSecond',
        value: 'groupedPerSecond',
        compare: 'more',
      },
      { title: 'in bulk', format: 'perSecond', value: 'bulkPerSecond', compare: 'more' },
    ],
    targets: [
      {
        title: 'one at a time',
        metric: 'singlePerSecond',
        limit: 20_000,
        better: 'more',
        row: 'disk',
      },
      {
        title: '1,000 in a tick',
        metric: 'groupedPerSecond',
        limit: 50_000,
        better: 'more',
        row: 'disk',
      },
      { title: 'in bulk', metric: 'bulkPerSecond', limit: 200_000, better: 'more', row: 'disk' },
    ],
  },
  W5o: {
    title: 'opening what another process has written',
    columns: [
      time,
      {
        title: 'heap and buffers held',
        format: 'bytes',
        value: 'heldBytes',
        compare: 'less',
      },
      { title: 'RSS added', format: 'bytes', value: 'heldRss' },
    ],
    targets: [
      { title: 'time', metric: 'ms', limit: 100, better: 'less', row: 'disk' },
      { title: 'memory', metric: 'heldBytes', limit: 40 * MB, better: 'less', row: 'disk' },
    ],
  },
  W6: {
    title: 'a fresh peer after many changes of one document',
    columns: [
      time,
      overPipe,
      ...traffic,
      { title: 'bytes a change', format: 'bytes', value: 'bytesPerUpdate' },
      messages,
      peakMemory,
    ],
    targets: [
      { title: 'without history', metric: 'bytes', limit: 1000, better: 'less' },
      {
        title: 'with history',
        metric: 'bytesPerUpdate',
        limit: 40,
        better: 'less',
        row: 'full history',
      },
    ],
  },
  webrtc: {
    title: 'a fresh peer in another process, over real WebRTC',
    columns: [
      time,
      { title: 'over the bare channel', format: 'factor', value: 'overFloor' },
      { title: 'connecting', format: 'ms', value: 'connectMs' },
      { title: 'A’s peak RSS', format: 'bytes', value: 'peakRssOfAlice' },
      { title: 'B’s peak RSS', format: 'bytes', value: 'peakRssOfBob' },
    ],
    targets: [
      { title: 'time', metric: 'ms', limit: 500, better: 'less', n: 100_000, row: 'disk' },
      { title: 'over the bare channel', metric: 'overFloor', limit: 1.5, better: 'less' },
    ],
  },
  'browser-local': {
    title: 'in Chromium: writing to IndexedDB, and opening it in another page',
    columns: [
      {
        title: 'one at a time, awaited',
        format: 'perSecond',
        value: 'singlePerSecond',
        compare: 'more',
      },
      { title: 'in bulk', format: 'perSecond', value: 'bulkPerSecond', compare: 'more' },
      { title: 'opening', format: 'ms', value: 'openMs', compare: 'less' },
    ],
    targets: [{ title: 'opening', metric: 'openMs', limit: 300, better: 'less', n: 100_000 }],
  },
  'browser-sync': {
    title: 'in Chromium: a fresh peer in another page, over WebRTC, until all is stored',
    columns: [time, { title: 'CPU of the browser', format: 'ms', value: 'cpuMs', compare: 'less' }],
    targets: [{ title: 'time', metric: 'ms', limit: 2000, better: 'less', n: 100_000 }],
  },
  diff: {
    title: 'finding out what each lacks, and exchanging it',
    columns: [
      { title: 'bytes before blocks flow', format: 'bytes', value: 'bytesBefore' },
      { title: 'round trips before', format: 'decimal', value: 'roundTrips' },
      { title: 'time before', format: 'ms', value: 'msBefore' },
      { title: 'bytes A to B', format: 'bytes', value: 'bytesToBob' },
      { title: 'bytes B to A', format: 'bytes', value: 'bytesToAlice' },
      { title: 'time in all', format: 'ms', value: 'ms' },
      { title: 'CPU of both', format: 'ms', value: 'cpuMs' },
    ],
    targets: [{ title: 'round trips', metric: 'roundTrips', limit: 1.5, better: 'less' }],
  },
  mesh: {
    title: 'writes of many, through a mesh of links',
    columns: [
      { title: 'deliveries', format: 'count', value: 'needed' },
      { title: 'blocks received', format: 'count', value: 'blocks' },
      { title: 'blocks a delivery', format: 'factor', value: 'blocksRatio' },
      { title: 'keys announced a delivery', format: 'factor', value: 'keys' },
      { title: 'bytes a delivery', format: 'bytes', value: 'bytes' },
      { title: 'p50', format: 'ms', value: 'p50' },
      { title: 'p99', format: 'ms', value: 'p99' },
    ],
    targets: [],
  },
  game: {
    title: 'the demo game, as one of its players looks at it',
    columns: [
      { title: 'its script a frame', format: 'ms', value: 'frameP50' },
      { title: 'p95', format: 'ms', value: 'frameP95' },
      { title: 'longest', format: 'ms', value: 'frameMax' },
      { title: 'frames', format: 'perSecond', value: 'framesPerSecond' },
      { title: 'main thread busy, of a second', format: 'ms', value: 'busyMs' },
      { title: 'bytes sent a second', format: 'bytes', value: 'bytesPerSecond' },
    ],
    targets: [
      { title: 'frames', metric: 'framesPerSecond', limit: 60, better: 'more', row: '8 players' },
    ],
  },
  'game-delivery': {
    title: 'the demo game: from one of two players to the other',
    columns: [
      { title: 'measured', format: 'count', value: 'times' },
      { title: 'p50', format: 'ms', value: 'p50' },
      { title: 'p95', format: 'ms', value: 'p95' },
    ],
    targets: [],
  },
  signaling: {
    title: 'the signaling server on one core, connections held and messages of 300 B relayed',
    columns: [
      { title: 'connections and joins', format: 'perSecond', value: 'opensPerSecond' },
      { title: 'RSS a connection', format: 'bytes', value: 'rssPerConnection' },
      { title: 'heap and buffers', format: 'bytes', value: 'heldPerConnection' },
      { title: 'messages', format: 'perSecond', value: 'perSecond' },
      { title: 'per second of CPU', format: 'perSecond', value: 'perCpuSecond' },
      { title: 'over the bare relay', format: 'factor', value: 'overBare' },
      { title: 'p50 at 2,000/s', format: 'ms', value: 'p50At2000' },
      { title: 'p99', format: 'ms', value: 'p99At2000' },
      { title: 'p50 at 10,000/s', format: 'ms', value: 'p50At10000' },
      { title: 'p99', format: 'ms', value: 'p99At10000' },
    ],
    targets: [
      { title: 'messages', metric: 'overBare', limit: 0.7, better: 'more' },
      { title: 'memory', metric: 'moreRss', limit: 10 * 1024, better: 'less' },
    ],
  },
};
