import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/**
 * What ws itself can do: the first frame of a connection names a room, and every later one goes to
 * the other that is in it. No limits, no checks, no heartbeat.
 */
export async function startBareRelay(readsJson: boolean): Promise<string> {
  const rooms = new Map<string, WebSocket[]>();
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => {
    let members: WebSocket[] | undefined;
    socket.on('message', (data: Buffer) => {
      if (members === undefined) {
        const room = data.toString();
        members = rooms.get(room) ?? [];
        members.push(socket);
        rooms.set(room, members);
        socket.send('joined');
        return;
      }
      const other = members[0] === socket ? members[1] : members[0];
      if (readsJson) {
        const { type, room, ...rest } = JSON.parse(data.toString()) as Record<string, string>;
        other?.send(JSON.stringify({ type, room, ...rest }));
      } else {
        other?.send(data, { binary: false });
      }
    });
  });
  await once(server, 'listening');
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
