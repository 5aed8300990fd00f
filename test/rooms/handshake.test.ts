import { beforeAll, describe, expect, it } from 'vitest';
import { EmberlinkError, RoomError } from '../../src/errors.ts';
import type { Channel, Frame } from '../../src/protocol/channel.ts';
import {
  admit,
  enterRoom,
  MAX_HANDSHAKE_BYTES,
  type Access,
  type Admission,
} from '../../src/rooms/handshake.ts';
import { RoomKeys } from '../../src/rooms/keys.ts';
import { createRoomSecret } from '../../src/rooms/room-secret.ts';
import { createMemoryChannelPair } from '../../src/transports/memory.ts';
import { outcome, Script, Tap } from '../protocol/wire.ts';
import { mutated } from '../fuzz/mutate.ts';
import { listen } from '../suites/channel.suite.ts';
import { forSeeds, setting } from '../support/random.ts';

const secret = createRoomSecret();
let keys: RoomKeys;
let otherKeys: RoomKeys;

beforeAll(async () => {
  keys = await RoomKeys.derive('garden', secret);
  otherKeys = await RoomKeys.derive('garden', createRoomSecret());
});

type Fields = Record<string, unknown>;

function serve(
  channel: Channel,
  authorize: (token: string | undefined) => Promise<Access | undefined> = async () => 'write',
  timeoutMs = 10_000,
): Promise<Admission> {
  return admit(channel, {
    roomOf: (id) => (id === keys.id ? { keys } : undefined),
    authorize: (_room, token) => authorize(token),
    timeoutMs,
  });
}

function visit(channel: Channel, own = keys, token?: string): Promise<Admission> {
  return enterRoom(channel, own, { token, timeoutMs: 10_000 });
}

/** Two joined channels, and all that both sides said. */
function tapped(): { client: Channel; server: Channel; said: Frame[] } {
  const said: Frame[] = [];
  const [left, right] = createMemoryChannelPair();
  const [client, server] = [left, right].map((side) => new Tap(side, (frame) => said.push(frame)));
  return { client: client!, server: server!, said };
}

describe('the handshake of a room', () => {
  it('gives both sides a channel that begins behind it', async () => {
    const { client, server } = tapped();
    const [atServer, atClient] = await Promise.all([serve(server), visit(client)]);
    expect([atServer.access, atClient.access]).toEqual(['write', 'write']);
    atServer.channel.send('from the server');
    atClient.channel.send('from the client');
    const [heardAtServer, heardAtClient] = [listen(atServer.channel), listen(atClient.channel)];
    await Promise.all([heardAtServer.count(1), heardAtClient.count(1)]);
    expect(heardAtServer.frames).toEqual(['from the client']);
    expect(heardAtClient.frames).toEqual(['from the server']);
    await atClient.channel.close();
    expect(await heardAtServer.closed).toBeUndefined();
  });

  it('tells the client what it may do, and the server what it showed', async () => {
    const { client, server, said } = tapped();
    let shown: string | undefined;
    const serving = serve(server, async (token) => {
      shown = token;
      return 'read';
    });
    const [, atClient] = await Promise.all([serving, visit(client, keys, 'a ticket of Bob')]);
    expect(atClient.access).toBe('read');
    expect(shown).toBe('a ticket of Bob');
    expect(said.join()).not.toContain('ticket');
    expect(said.join()).not.toContain(secret);
    expect(said.join()).not.toContain('garden');
  });

  it('says wrong-secret on both sides when the client does not know the secret', async () => {
    const { client, server } = tapped();
    const [atServer, atClient] = await Promise.all([
      outcome(serve(server)),
      outcome(visit(client, otherKeys)),
    ]);
    for (const error of [atServer, atClient]) {
      expect(error).toBeInstanceOf(RoomError);
      expect(error).toMatchObject({ code: 'wrong-secret' });
    }
  });

  it('says wrong-secret to the client when a server that lets it in does not know the secret', async () => {
    const [left, right] = createMemoryChannelPair();
    const impostor = new Script(right);
    const entering = outcome(visit(left));
    impostor.send(JSON.stringify({ version: 1, nonce: 'A'.repeat(43) }));
    const entry = JSON.parse((await impostor.frame()) as string) as Fields;
    // The best that it can do: give back the client's own proof.
    impostor.send(JSON.stringify({ proof: entry['proof'], access: 'write' }));
    expect(await entering).toMatchObject({ name: 'RoomError', code: 'wrong-secret' });
    expect(await impostor.frame()).toBeUndefined();
  });

  it('does not let a client in that repeats what another one said', async () => {
    const { client, server, said } = tapped();
    await Promise.all([serve(server), visit(client)]);
    const [left, right] = createMemoryChannelPair();
    const serving = outcome(serve(left));
    const thief = new Script(right);
    await thief.frame();
    thief.send(said[1]!);
    expect(await serving).toMatchObject({ code: 'wrong-secret' });
  });

  it.each([
    ['a room that is not served', () => RoomKeys.derive('cellar', secret), 'refused'],
    ['another name of the same secret', () => RoomKeys.derive('Garden', secret), 'refused'],
  ] as const)('refuses %s', async (_what, keysOf, code) => {
    const { client, server } = tapped();
    const [atServer, atClient] = await Promise.all([
      outcome(serve(server)),
      outcome(visit(client, await keysOf())),
    ]);
    for (const error of [atServer, atClient]) expect(error).toMatchObject({ code });
  });

  it.each([
    ['says no', async (): Promise<undefined> => undefined],
    [
      'fails',
      async (): Promise<undefined> => {
        throw new Error('the database of Bob is down');
      },
    ],
  ] as const)('says unauthorized to a client when the hook %s', async (_what, hook) => {
    const { client, server, said } = tapped();
    const [, atClient] = await Promise.all([
      outcome(serve(server, hook)),
      outcome(visit(client, keys, 'ticket')),
    ]);
    expect(atClient).toMatchObject({ name: 'RoomError', code: 'unauthorized' });
    expect(said.join()).not.toContain('database');
  });

  it('gives up on a side that says nothing', async () => {
    const [left, right] = createMemoryChannelPair();
    const silent = listen(right);
    await expect(serve(left, undefined, 50)).rejects.toMatchObject({ code: 'hello-timeout' });
    await silent.closed;
    const [near] = createMemoryChannelPair();
    const entering = enterRoom(near, keys, { timeoutMs: 50 });
    await expect(entering).rejects.toMatchObject({ code: 'hello-timeout' });
  });

  it('gives up on a hook that never answers', async () => {
    const { client, server } = tapped();
    const never = new Promise<undefined>(() => {});
    const [atServer, atClient] = await Promise.all([
      outcome(serve(server, () => never, 50)),
      outcome(visit(client)),
    ]);
    for (const error of [atServer, atClient])
      expect(error).toMatchObject({ code: 'hello-timeout' });
  });

  it('names the version of a server that speaks another one', async () => {
    const [left, right] = createMemoryChannelPair();
    const server = new Script(right);
    const entering = outcome(visit(left));
    server.send(JSON.stringify({ version: 2, somethingNew: true }));
    expect(await entering).toMatchObject({ code: 'unsupported-version' });
  });

  it('ends when the other side leaves', async () => {
    const [left, right] = createMemoryChannelPair();
    right.destroy();
    await expect(serve(left)).rejects.toMatchObject({ code: 'peer-gone' });
  });

  const proof = 'A'.repeat(43);
  const entry: Fields = { room: 'room', nonce: proof, proof };
  it.each<[string, Frame[]]>([
    ['bytes', [new Uint8Array(10)]],
    ['no JSON', ['{']],
    ['a list', ['[]']],
    ['null', ['null']],
    ['a field that is missing', [JSON.stringify({ ...entry, nonce: undefined })]],
    ['a field of another kind', [JSON.stringify({ ...entry, room: ['room'] })]],
    ['a proof that is no base64url', [JSON.stringify({ ...entry, proof: '+'.repeat(43) })]],
    ['a proof with bits to spare', [JSON.stringify({ ...entry, proof: 'B'.repeat(43) })]],
    ['a token that is no text', [JSON.stringify({ ...entry, token: 7 })]],
    [
      'a text that is too long',
      [JSON.stringify({ ...entry, token: 'x'.repeat(MAX_HANDSHAKE_BYTES) })],
    ],
  ])('says malformed-frame to %s', async (_what, frames) => {
    const [left, right] = createMemoryChannelPair();
    const serving = outcome(serve(left));
    const client = new Script(right);
    await client.frame();
    for (const frame of frames) client.send(frame);
    expect(await serving).toMatchObject({ name: 'ProtocolError', code: 'malformed-frame' });
    expect(JSON.parse((await client.frame()) as string)).toMatchObject({ refused: 'malformed' });
  });

  it('takes nothing more from a client before it is let in', async () => {
    const { client, server } = tapped();
    const never = new Promise<undefined>(() => {});
    const serving = outcome(
      serve(server, () => {
        client.send(new Uint8Array(60_000));
        return never;
      }),
    );
    const entering = outcome(visit(client));
    expect(await serving).toMatchObject({ code: 'malformed-frame' });
    expect(await entering).toMatchObject({ code: 'aborted-by-peer' });
  });

  it('lets nobody in, and throws nothing but its own errors, whatever a side says', async () => {
    const { client, server, said } = tapped();
    await Promise.all([serve(server), visit(client, keys, 'token')]);
    const samples = said.map((frame) => new TextEncoder().encode(frame as string));
    await forSeeds(setting('EMBERLINK_FUZZ_RUNS', 200), async (random) => {
      const frame = new TextDecoder().decode(mutated(random, samples));
      for (const enter of [serve, visit]) {
        const [left, right] = createMemoryChannelPair();
        const entering = outcome(enter(left));
        const stranger = new Script(right);
        for (let i = 0; i < 2; i++) stranger.send(frame);
        await stranger.close();
        expect(await entering).toBeInstanceOf(EmberlinkError);
      }
    });
  });
});
