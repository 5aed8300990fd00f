import { setTimeout as wait } from 'node:timers/promises';
import wrtc from 'wrtc';
import { documents } from '../documents.ts';
import { emberlink } from '../peers/emberlink.ts';
import type { Side, SideTask } from './side.ts';

const MESSAGE_BYTES = 64 * 1024;
const POLL_MS = 2;

/**
 * The physical limit: one data channel, and on it the bytes that a ledger of these documents is as a
 * CAR. Bob only counts them.
 * @param highWaterBytes how many bytes may wait in the channel's buffer
 */
export async function bareSide(task: SideTask, highWaterBytes: number): Promise<Side> {
  const { role, n, folder } = task;
  const connection = new wrtc.RTCPeerConnection({ iceServers: [] });
  const channel = connection.createDataChannel('bare', { negotiated: true, id: 0 });
  channel.binaryType = 'arraybuffer';
  const opened = new Promise<void>((resolve) => (channel.onopen = () => resolve()));
  const car = role === 'alice' ? await carOf(n, folder) : undefined;
  const counted = car === undefined ? countTo(channel) : undefined;
  return {
    async connect(introducer) {
      if (role === 'alice') {
        introducer.send(await localDescription(connection, await connection.createOffer()));
        await connection.setRemoteDescription(JSON.parse(await introducer.receive()));
      } else {
        await connection.setRemoteDescription(JSON.parse(await introducer.receive()));
        introducer.send(await localDescription(connection, await connection.createAnswer()));
      }
      await opened;
      if (car !== undefined) await pump(channel, car, highWaterBytes);
    },
    complete: () => counted!,
  };
}

async function carOf(n: number, folder: string): Promise<Uint8Array> {
  const store = await emberlink({ log: 'memory' }).open(folder, 'car');
  await store.load(documents(0, n));
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.ledger.export()) chunks.push(chunk);
  await store.close();
  return Buffer.concat(chunks);
}

/** With all candidates in it. */
async function localDescription(
  connection: RTCPeerConnection,
  description: RTCSessionDescriptionInit,
): Promise<string> {
  const gathered = new Promise<void>((resolve) => {
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState === 'complete') resolve();
    };
  });
  await connection.setLocalDescription(description);
  await gathered;
  return JSON.stringify(connection.localDescription);
}

async function pump(
  channel: RTCDataChannel,
  bytes: Uint8Array,
  highWaterBytes: number,
): Promise<void> {
  channel.send(JSON.stringify(bytes.length));
  for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
    // Node's WebRTC has no event for this.
    while (channel.bufferedAmount > highWaterBytes) await wait(POLL_MS);
    channel.send(bytes.slice(at, at + MESSAGE_BYTES));
  }
}

function countTo(channel: RTCDataChannel): Promise<void> {
  return new Promise((resolve) => {
    let left = NaN;
    channel.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === 'string') left = Number(data);
      else left -= data.byteLength;
      if (left === 0) resolve();
    };
  });
}
