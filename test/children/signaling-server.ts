/** A signaling server in a process of its own, which logs all that it can; driven by messages. */
import { writeHeapSnapshot } from 'node:v8';
import { createSignalingServer, type SignalingServer } from '../../signaling/server.ts';
import { answerCalls } from './answer-calls.ts';

let server: SignalingServer;

const methods = {
  /** @returns the server's URL */
  async listen(port = 0, host = '127.0.0.1'): Promise<string> {
    server = createSignalingServer({ port, host, logLevel: 'debug', drainSeconds: 0 });
    const { url } = await server.listen();
    return url;
  },
  /** Writes everything that the program can still reach to a file. */
  async snapshot(path: string): Promise<void> {
    writeHeapSnapshot(path);
  },
  async end(): Promise<void> {
    await server.close();
  },
};

export type SignalingServerMethods = typeof methods;

answerCalls(methods);
