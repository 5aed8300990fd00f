/**
 * Every error that emberlink throws on purpose: one base class, few kinds, each with a literal
 * `name`, a `code` that programs can switch on and the facts as fields. `cause` keeps what lay below.
 */
export class EmberlinkError<Code extends string = string> extends Error {
  override readonly name: string = 'EmberlinkError';
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type DocumentErrorCode =
  | 'invalid-id'
  | 'invalid-value'
  | 'document-too-large'
  | 'not-a-document'
  | 'empty-patch';

/** A document that was refused; nothing of it was written. */
export class DocumentError extends EmberlinkError<DocumentErrorCode> {
  override readonly name = 'DocumentError';
  /** Where in the document, for example `address.lines[2]`; empty for the document itself. */
  readonly path: string;

  constructor(code: DocumentErrorCode, message: string, path = '', options?: ErrorOptions) {
    super(code, message, options);
    this.path = path;
  }
}

export type LedgerErrorCode =
  | 'invalid-name'
  | 'invalid-option'
  | 'closed'
  | 'locked'
  | 'other-version'
  | 'interrupted'
  | 'unknown-clock'
  | 'no-storage'
  | 'no-snapshot'
  /** A part of this library that is loaded when it is needed could not be: see the message. */
  | 'not-loaded';

/** Wrong use of a ledger: a bad name or option, a closed or locked ledger, a clock it does not hold. */
export class LedgerError extends EmberlinkError<LedgerErrorCode> {
  override readonly name = 'LedgerError';
}

export type StorageErrorCode =
  | 'full'
  | 'io'
  | 'corrupt'
  | 'missing-block'
  /** It was opened again since, and belongs to that opening. */
  | 'replaced'
  /** The browser, or its user, has removed it. */
  | 'gone'
  /** It was written by a newer version, and is left as it is. */
  | 'unsupported-version';

/** The place where the log lives failed. What was acknowledged before is still there. */
export class StorageError extends EmberlinkError<StorageErrorCode> {
  override readonly name = 'StorageError';
  /** For `corrupt`: the segment file and the byte offset in it. */
  readonly segment: string | undefined;
  readonly offset: number | undefined;

  constructor(
    code: StorageErrorCode,
    message: string,
    options: ErrorOptions & { segment?: string; offset?: number } = {},
  ) {
    super(code, message, options);
    this.segment = options.segment;
    this.offset = options.offset;
  }
}

export type BlockErrorCode =
  | 'hash-mismatch'
  | 'unsupported-cid'
  | 'block-too-large'
  | 'malformed-car'
  | 'malformed-commit'
  | 'malformed-snapshot'
  | 'impossible-parents'
  | 'impossible-time'
  | 'impossible-replaces'
  | 'too-many-parked'
  | 'refused';

/** Bytes from elsewhere (a peer, an import, a disk) that are not what they claim to be. */
export class BlockError extends EmberlinkError<BlockErrorCode> {
  override readonly name = 'BlockError';
}

export type ProtocolErrorCode =
  | 'malformed-frame'
  | 'unexpected-message'
  | 'unsupported-version'
  | 'frame-too-large'
  | 'window-exceeded'
  | 'limit-exceeded'
  | 'bad-block'
  | 'refused'
  | 'read-only'
  | 'storage-failed'
  | 'hello-timeout'
  | 'connected-to-self'
  | 'aborted-by-peer';

/** The other side of a session broke the protocol, or said that we did. It ends that session only. */
export class ProtocolError extends EmberlinkError<ProtocolErrorCode> {
  override readonly name = 'ProtocolError';
}

export type SignalErrorCode =
  | 'not-a-signal'
  | 'truncated'
  | 'case-changed'
  | 'several-signals'
  | 'expected-offer'
  | 'expected-answer'
  | 'own-offer'
  | 'other-offer'
  | 'already-used'
  | 'wrong-state';

/** A pasted offer or answer that cannot be used; the Sync that refused it goes on as it was. */
export class SignalError extends EmberlinkError<SignalErrorCode> {
  override readonly name = 'SignalError';
}

export type ConnectionErrorCode =
  | 'no-webrtc'
  | 'no-websocket'
  /** A part of this library could not be loaded: the page is offline, or its files are gone. */
  | 'not-loaded'
  | 'connect-timeout'
  | 'connect-failed'
  | 'peer-gone'
  | 'closed';

/** A link to a peer that did not come about, or ended. */
export class ConnectionError extends EmberlinkError<ConnectionErrorCode> {
  override readonly name = 'ConnectionError';
}

export type RoomErrorCode =
  | 'invalid-option'
  | 'wrong-secret'
  | 'refused'
  | 'replaced'
  | 'unauthorized'
  | 'no-signaling'
  | 'left'
  /** A part of this library could not be loaded: be online, or load the page anew. */
  | 'not-loaded';

/** Membership in a room that did not come about, or ended: see the code. */
export class RoomError extends EmberlinkError<RoomErrorCode> {
  override readonly name = 'RoomError';
}
