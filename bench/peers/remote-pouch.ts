import { EventEmitter } from 'node:events';
import type PouchDB from 'pouchdb-core';
import type { PouchChanges, PouchError } from 'pouchdb-core';
import type { MemoryChannel } from '../../src/transports/memory.ts';

/**
 * What PouchDB's replication asks of a remote database, as JSON messages over the pipe: one message
 * per request and per answer, without the headers that HTTP would add. A live feed of changes is sent
 * as it comes, where HTTP would poll.
 */
const METHODS = ['id', 'info', 'revsDiff', 'bulkGet', 'bulkDocs', 'get', 'put'] as const;
type Method = (typeof METHODS)[number];

type Request =
  | { id: number; method: Method; params: unknown[] }
  | { id: number; method: 'changes'; params: [object] }
  | { id: number; method: 'cancel'; params: [] };

type Answer =
  | { id: number; result: unknown }
  | { id: number; error: PouchError }
  | { id: number; change: unknown };

export function servePouch(database: PouchDB, channel: MemoryChannel): void {
  const feeds = new Map<number, PouchChanges>();
  const send = (answer: Answer): void => channel.send(JSON.stringify(answer));
  const fail = (id: number, { status, name, message }: PouchError): void =>
    send({ id, error: { status, name, message } });
  const serve = (request: Request): void => {
    const { id } = request;
    if (request.method === 'cancel') return feeds.get(id)?.cancel();
    if (request.method === 'changes') {
      const [options] = request.params;
      const feed = database.changes(options);
      if ('live' in options) {
        feeds.set(id, feed);
        void feed.on('change', (change) => send({ id, change }));
      }
      feed.then(
        (result) => send({ id, result }),
        (error: PouchError) => fail(id, error),
      );
      return;
    }
    const methods = database as unknown as Record<
      Method,
      (...params: unknown[]) => Promise<unknown>
    >;
    methods[request.method](...request.params).then(
      (result) => send({ id, result }),
      (error: PouchError) => fail(id, error),
    );
  };
  channel.start({
    frame: (frame) => serve(JSON.parse(frame as string) as Request),
    closed: () => {},
  });
}

interface Waiter {
  answer(answer: Answer): void;
}

/** Stands for the database at the other end of the pipe. */
export class RemotePouch extends EventEmitter {
  readonly _remote = true;
  /** Nobody looks at the tasks of a remote database. */
  readonly activeTasks = { add: () => '', get: () => undefined, update() {}, remove() {} };
  readonly #channel: MemoryChannel;
  readonly #waiters = new Map<number, Waiter>();
  #requests = 0;

  constructor(channel: MemoryChannel) {
    super();
    this.setMaxListeners(0);
    this.#channel = channel;
    channel.start({
      frame: (frame) => {
        const answer = JSON.parse(frame as string) as Answer;
        this.#waiters.get(answer.id)?.answer(answer);
      },
      closed: () => {},
    });
  }

  id = (): Promise<unknown> => this.#ask('id', []);
  info = (): Promise<unknown> => this.#ask('info', []);
  get = (id: string): Promise<unknown> => this.#ask('get', [id]);
  put = (document: object): Promise<unknown> => this.#ask('put', [document]);
  revsDiff = (diff: object): Promise<unknown> => this.#ask('revsDiff', [diff]);
  bulkGet = (options: object): Promise<unknown> => this.#ask('bulkGet', [options]);
  bulkDocs = ({ docs }: { docs: object[] }): Promise<unknown> =>
    this.#ask('bulkDocs', [docs, { new_edits: false }]);

  changes(options: { live?: boolean }): EventEmitter {
    const id = this.#requests++;
    const feed = new EventEmitter();
    const done = new Promise<unknown>((resolve, reject) => {
      this.#waiters.set(id, {
        answer: (answer) => {
          if ('change' in answer) {
            feed.emit('change', answer.change);
            return;
          }
          this.#waiters.delete(id);
          if ('error' in answer) return reject(answer.error);
          const { results } = answer.result as { results: unknown[] };
          if (!options.live) for (const change of results) feed.emit('change', change);
          resolve(answer.result);
        },
      });
    });
    // Its `then` is how the replication waits for it.
    Object.assign(feed, {
      // oxlint-disable-next-line unicorn/no-thenable
      then: done.then.bind(done),
      catch: done.catch.bind(done),
      cancel: () => {
        if (this.#waiters.has(id)) this.#send({ id, method: 'cancel', params: [] });
      },
    });
    this.#send({ id, method: 'changes', params: [options] });
    return feed;
  }

  #ask(method: Method, params: unknown[]): Promise<unknown> {
    const id = this.#requests++;
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, {
        answer: (answer) => {
          this.#waiters.delete(id);
          if ('error' in answer) reject(answer.error);
          else if ('result' in answer) resolve(answer.result);
        },
      });
      this.#send({ id, method, params });
    });
  }

  #send(request: Request): void {
    this.#channel.send(JSON.stringify(request));
  }
}
