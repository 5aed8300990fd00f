/** The part of PouchDB that is used here; its packages carry no types. */
declare module 'pouchdb-core' {
  import type { EventEmitter } from 'node:events';

  export interface PouchError {
    status: number;
    name: string;
    message: string;
  }

  export interface PouchChange {
    id: string;
    seq: number | string;
  }

  export interface PouchChanges extends EventEmitter, Promise<unknown> {
    cancel(): void;
  }

  export interface PouchReplication extends EventEmitter, Promise<unknown> {
    cancel(): void;
  }

  type Row = { id: string; doc: Record<string, unknown> };

  export default class PouchDB {
    static plugin(plugin: unknown): typeof PouchDB;
    static sync(a: unknown, b: unknown, options: object): PouchReplication;
    constructor(name: string, options: { adapter: string });
    get(id: string): Promise<Record<string, unknown> & { _rev: string }>;
    put(document: object): Promise<unknown>;
    bulkDocs(documents: unknown, options?: object): Promise<(object | PouchError)[]>;
    allDocs(options: object): Promise<{ rows: Row[] }>;
    info(): Promise<{ doc_count: number }>;
    changes(options: object): PouchChanges;
    close(): Promise<void>;
  }
}
declare module 'pouchdb-adapter-memory' {
  const plugin: unknown;
  export default plugin;
}
declare module 'pouchdb-replication' {
  const plugin: unknown;
  export default plugin;
}
