/** What is noted of a page that knows nothing of it. */
export interface Recorded {
  /** Of each frame: how long the page's own script took for it, in milliseconds. */
  frames: number[];
  readonly connections: readonly RTCPeerConnection[];
}

declare global {
  var recorded: Recorded;
}

/** Runs in a page before anything of its own. */
export function record(): void {
  const connections: RTCPeerConnection[] = [];
  globalThis.recorded = { frames: [], connections };
  const request = globalThis.requestAnimationFrame.bind(globalThis);
  let frameAt = -1;
  globalThis.requestAnimationFrame = (callback) =>
    request((nowMs) => {
      const start = performance.now();
      callback(nowMs);
      const ms = performance.now() - start;
      const { frames } = globalThis.recorded;
      // All that asked for the same frame.
      if (nowMs === frameAt && frames.length > 0) frames[frames.length - 1]! += ms;
      else frames.push(ms);
      frameAt = nowMs;
    });
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      connections.push(this);
    }
  };
}

/** Runs in the page: the bytes that all its connections have sent until now. */
export async function sentBytes(): Promise<number> {
  let bytes = 0;
  for (const connection of globalThis.recorded.connections) {
    for (const stats of (await connection.getStats()).values() as Iterable<RTCTransportStats>) {
      if (stats.type === 'transport') bytes += stats.bytesSent ?? 0;
    }
  }
  return bytes;
}
