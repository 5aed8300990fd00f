import type { Access, RoomPeer } from '../index.ts';
import type { ClientStatus } from '../server.ts';
import { clip, counted, formatBytes, printable } from './terminal.ts';

/** What `emberlink peer` tells, one line each. */
export type PeerEvent =
  | {
      readonly event: 'started';
      readonly room: string;
      readonly folder: string;
      readonly documents: number;
    }
  | { readonly event: 'serving'; readonly url: string }
  | { readonly event: 'joined'; readonly server: string }
  | {
      readonly event: 'waiting';
      readonly server: string;
      readonly retryMs: number;
      readonly error: EventError;
    }
  | {
      readonly event: 'peer';
      readonly state: RoomPeer['state'] | 'gone';
      readonly peer: EventPeer;
      readonly error?: EventError | undefined;
    }
  | {
      readonly event: 'client';
      readonly state: ClientStatus['state'];
      readonly address: string;
      readonly access?: Access | undefined;
      readonly error?: EventError | undefined;
    }
  /** Documents that others have changed, since the last event of this kind. */
  | { readonly event: 'received'; readonly changes: number; readonly documents: number }
  | { readonly event: 'backup'; readonly file: string; readonly bytes: number }
  | { readonly event: 'error'; readonly error: EventError }
  /** Events that nobody read in time. */
  | { readonly event: 'unprinted'; readonly events: number }
  | {
      readonly event: 'left';
      readonly documents: number;
      readonly received: number;
      readonly seconds: number;
    };

export interface EventError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

export type EventPeer = Pick<RoomPeer, 'id' | 'replica' | 'info' | 'access'>;

/** The line that people read. */
export function describeEvent(event: PeerEvent): string {
  switch (event.event) {
    case 'started':
      return `room ${printable(event.room)}: ${counted(event.documents, 'document')} in ${event.folder}`;
    case 'serving':
      return `serving ${event.url}`;
    case 'joined':
      return `joined by ${event.server}`;
    case 'waiting':
      return `${messageOf(event.error)}; trying again in ${(event.retryMs / 1000).toFixed(1)} s`;
    case 'peer':
      return describePeer(event);
    case 'client':
      return describeClient(event);
    case 'received':
      return `received ${counted(event.changes, 'change')}; ${counted(event.documents, 'document')} now`;
    case 'backup':
      return `backup: ${formatBytes(event.bytes)} to ${event.file}`;
    case 'error':
      return `error: ${messageOf(event.error)}`;
    case 'unprinted':
      return `${counted(event.events, 'more event')}`;
    case 'left':
      return (
        `left after ${Math.round(event.seconds)} s: received ${counted(event.received, 'change')}, ` +
        `${counted(event.documents, 'document')} now`
      );
  }
}

function describePeer({ state, peer, error }: PeerEvent & { event: 'peer' }): string {
  const who = `${nameOf(peer)}${peer.access === 'read' ? ' (reads only)' : ''}`;
  const why = error === undefined ? '' : `: ${messageOf(error)}`;
  switch (state) {
    case 'connecting':
      return error === undefined ? `connecting with ${who}` : `no link with ${who} yet${why}`;
    case 'syncing':
      return `syncing with ${who}`;
    case 'live':
      return `live with ${who}`;
    case 'indirect':
      return `in sync with ${who} by way of others`;
    case 'refused':
      return `no link with ${who}${why}`;
    case 'gone':
      return `${who} is gone`;
  }
}

function describeClient({ state, address, error }: PeerEvent & { event: 'client' }): string {
  const why = error === undefined ? '' : `: ${messageOf(error)}`;
  switch (state) {
    case 'entering':
      return `client at ${address} connected`;
    case 'syncing':
      return `syncing with the client at ${address}`;
    case 'live':
      return `live with the client at ${address}`;
    case 'closed':
      return `client at ${address} is gone${why}`;
  }
}

/** What a member calls itself, and a part of its id, which nobody chooses. */
function nameOf({ id, info }: EventPeer): string {
  const isNamed = typeof info === 'object' && info !== null && 'name' in info;
  const name = isNamed && typeof info.name === 'string' ? `${clip(printable(info.name), 40)} ` : '';
  return `${name}[${id.slice(0, 8)}]`;
}

function messageOf({ message }: EventError): string {
  return printable(message.replaceAll(/\s*\n\s*/g, ' '));
}
