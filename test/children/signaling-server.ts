/** A signaling server in a process of its own, driven by messages. */
import { writeHeapSnapshot } from 'node:v8';
import {
  createSignalingServer,
  type SignalingServer,
  type SignalingServerOptions,
} from '../../signaling/server.ts';
import { answerCalls } from './answer-calls.ts';

let server: SignalingServer;

const methods = {
  /** @returns the server's URL */
  async listen(options: SignalingServerOptions = {}): Promise<string> {
    server = createSignalingServer({ port: 0, host: '127.0.0.1', drainSeconds: 0, ...options });
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
