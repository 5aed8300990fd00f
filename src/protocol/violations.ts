import { ConnectionError, ProtocolError } from '../errors.ts';

/** A frame that is not what the protocol says. */
export function malformed(text: string, cause?: unknown): ProtocolError {
  return new ProtocolError('malformed-frame', text, cause === undefined ? {} : { cause });
}

/** A message that its sender must not send at this point. */
export function outOfTurn(text: string): ProtocolError {
  return new ProtocolError('unexpected-message', text);
}

export function overLimit(text: string): ProtocolError {
  return new ProtocolError('limit-exceeded', text);
}

/** No violation: what was asked for can no longer be had. */
export function sessionEnded(): ConnectionError {
  return new ConnectionError('closed', 'the session has ended');
}
