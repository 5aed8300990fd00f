import type { BenchDocument } from '../documents.ts';

/** A library in a page, with what it stores in IndexedDB. */
export interface BrowserStore {
  /** Done when the document will be there after the page has crashed. */
  put(document: BenchDocument): Promise<void>;
  /** The same for many, handed over together. */
  putAll(documents: readonly BenchDocument[]): Promise<void>;
  get(id: string): Promise<BenchDocument | undefined>;
  count(): number | Promise<number>;
  /** Done when all that was received is stored. */
  stored(): Promise<void>;
  /** Begins to sync over WebRTC; the texts are for those that have no signaling server. */
  connect(introduction: Introduction): Promise<void>;
  /** Done when `n` documents are there. */
  received(n: number): Promise<void>;
  close(): Promise<void>;
}

export interface Introduction {
  readonly role: 'alice' | 'bob';
  readonly signalingUrl: string;
  readonly send: (text: string) => void;
  readonly receive: () => Promise<string>;
}

/** What a page offers to the bench that drives it: numbers and texts alone can cross. */
export interface BenchPage {
  open(name: string): Promise<void>;
  /** @returns writes a second */
  putOneByOne(from: number, to: number): Promise<number>;
  putTogether(from: number, to: number): Promise<number>;
  /** @returns milliseconds until the ledger is open and its first document read */
  reopen(name: string, n: number): Promise<number>;
  connect(role: 'alice' | 'bob', signalingUrl: string): Promise<void>;
  /** @returns milliseconds from the connection until `n` documents are there and stored */
  receive(n: number): Promise<number>;
  close(): Promise<void>;
}

declare global {
  var bench: BenchPage;
  /** What the two pages say to each other, by way of the bench. */
  var sendText: ((text: string) => void) | undefined;
  var takeText: ((text: string) => void) | undefined;
}
