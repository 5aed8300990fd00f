import { describe, expect, it } from 'vitest';
import { ConnectionError, ProtocolError } from '../../src/errors.ts';
import type { Channel, Frame } from '../../src/protocol/channel.ts';

export interface ChannelPair {
  readonly alice: Channel;
  readonly bob: Channel;
  /** Bob's machine is gone: nothing comes from him any more, not even a goodbye. */
  readonly vanish?: () => void;
}

/** What a channel handed over so far, and the promise of its end. */
export interface Received {
  readonly frames: Frame[];
  readonly closed: Promise<Error | undefined>;
  /** Resolves when this many frames have come. */
  count(frames: number): Promise<void>;
}

export function listen(channel: Channel): Received {
  const frames: Frame[] = [];
  let waiting: { frames: number; resolve: () => void }[] = [];
  const closed = new Promise<Error | undefined>((resolve) => {
    channel.start({
      frame(frame) {
        frames.push(frame);
        for (const waiter of waiting) if (frames.length >= waiter.frames) waiter.resolve();
        waiting = waiting.filter((waiter) => frames.length < waiter.frames);
      },
      closed: resolve,
    });
  });
  const count = (wanted: number): Promise<void> =>
    new Promise((resolve) => {
      if (frames.length >= wanted) resolve();
      else waiting.push({ frames: wanted, resolve });
    });
  return { frames, closed, count };
}

/** A frame of `length` bytes that begins with its number. */
export function numberedFrame(number: number, length: number): Uint8Array {
  const frame = new Uint8Array(length);
  new DataView(frame.buffer).setUint32(0, number);
  return frame;
}

/** The number that a frame begins with. */
export function numberOf(frame: Frame): number {
  if (typeof frame === 'string') throw new Error('a text where bytes were sent');
  return new DataView(frame.buffer, frame.byteOffset).getUint32(0);
}

const MiB = 1024 * 1024;

/**
 * The contract of protocol/channel.ts, for every transport.
 * @param canVanish false where no line of the pair can be cut
 */
export function testChannel(
  name: string,
  connect: () => Promise<ChannelPair>,
  canVanish = true,
): void {
  async function withPair(test: (pair: ChannelPair) => Promise<void>): Promise<void> {
    const pair = await connect();
    try {
      await test(pair);
    } finally {
      pair.alice.destroy();
      pair.bob.destroy();
    }
  }

  describe(`a channel over ${name}`, () => {
    it('delivers frames in the order sent, both ways', () =>
      withPair(async ({ alice, bob }) => {
        const atAlice = listen(alice);
        const atBob = listen(bob);
        for (let i = 0; i < 500; i++) {
          alice.send(numberedFrame(i, 4 + (i % 50)));
          bob.send(numberedFrame(1000 + i, 4));
        }
        await Promise.all([atAlice.count(500), atBob.count(500)]);
        expect(atBob.frames.map(numberOf)).toEqual(Array.from({ length: 500 }, (_, i) => i));
        expect(atAlice.frames.map(numberOf)).toEqual(
          Array.from({ length: 500 }, (_, i) => 1000 + i),
        );
      }));

    it('keeps text as text, bytes as bytes, and empty frames', () =>
      withPair(async ({ alice, bob }) => {
        const sent = ['héllo 🌊', Uint8Array.of(0, 255, 1), '', new Uint8Array(0), '{"ok":true}'];
        const atBob = listen(bob);
        for (const frame of sent) alice.send(frame);
        await atBob.count(sent.length);
        expect(atBob.frames).toEqual(sent);
        expect(atBob.frames[1]!.constructor).toBe(Uint8Array);
      }));

    it('hands over the frames that came before it was started', () =>
      withPair(async ({ alice, bob }) => {
        const atAlice = listen(alice);
        alice.send('early');
        bob.send('ready');
        // By then the early frame is on its way or there.
        await atAlice.count(1);
        const atBob = listen(bob);
        await atBob.count(1);
        expect(atBob.frames).toEqual(['early']);
      }));

    it('does not hand anything over within send', () =>
      withPair(async ({ alice, bob }) => {
        const order: string[] = [];
        const answered = new Promise<void>((resolve) => {
          bob.start({
            frame() {
              bob.send('answer');
              order.push('bob sent');
            },
            closed() {},
          });
          alice.start({
            frame() {
              order.push('alice heard');
              resolve();
            },
            closed() {},
          });
        });
        alice.send('question');
        order.push('alice sent');
        await answered;
        expect(order).toEqual(['alice sent', 'bob sent', 'alice heard']);
      }));

    it('takes the biggest frame and refuses one byte more', () =>
      withPair(async ({ alice, bob }) => {
        const atBob = listen(bob);
        const biggest = new Uint8Array(alice.maxFrameBytes).fill(7);
        alice.send(biggest);
        expect(() => alice.send(new Uint8Array(alice.maxFrameBytes + 1))).toThrow(
          expect.objectContaining({ name: 'ProtocolError', code: 'frame-too-large' }),
        );
        // Fewer characters than the limit, more bytes.
        const text = 'ü'.repeat(Math.floor(alice.maxFrameBytes / 2) + 1);
        expect(() => alice.send(text)).toThrow(ProtocolError);
        alice.send('still open');
        await atBob.count(2);
        expect(atBob.frames).toEqual([biggest, 'still open']);
      }));

    it('carries 64 MiB without loss for a sender who waits while it is congested', () =>
      withPair(async ({ alice, bob }) => {
        const total = (64 * MiB) / alice.maxFrameBytes;
        let next = 0;
        let waits = 0;
        const allHere = new Promise<void>((resolve, reject) => {
          bob.start({
            frame(frame) {
              if (numberOf(frame) !== next) reject(new Error(`frame ${next} is missing`));
              next += 1;
              if (next === total) resolve();
            },
            closed: () => reject(new Error('closed too early')),
          });
        });
        for (let i = 0; i < total; i++) {
          if (alice.congested) {
            waits += 1;
            await alice.drained();
            expect(alice.congested).toBe(false);
          }
          alice.send(numberedFrame(i, alice.maxFrameBytes));
        }
        await allHere;
        expect(waits).toBeGreaterThan(0);
      }));

    it('carries 64 MiB without loss for a sender who does not look', () =>
      withPair(async ({ alice, bob }) => {
        const total = (64 * MiB) / alice.maxFrameBytes;
        const atBob = listen(bob);
        for (let i = 0; i < total; i++) alice.send(numberedFrame(i, alice.maxFrameBytes));
        expect(alice.congested).toBe(true);
        await atBob.count(total);
        expect(atBob.frames.map(numberOf)).toEqual(Array.from({ length: total }, (_, i) => i));
        await alice.drained();
        expect(alice.congested).toBe(false);
      }));

    it('delivers everything that was sent before close, then closes both sides', () =>
      withPair(async ({ alice, bob }) => {
        const atAlice = listen(alice);
        const atBob = listen(bob);
        const total = (16 * MiB) / alice.maxFrameBytes;
        for (let i = 0; i < total; i++) alice.send(numberedFrame(i, alice.maxFrameBytes));
        const closing = alice.close();
        expect(alice.close()).toBe(closing);
        await closing;
        expect(await atBob.closed).toBeUndefined();
        expect(await atAlice.closed).toBeUndefined();
        expect(atBob.frames.map(numberOf)).toEqual(Array.from({ length: total }, (_, i) => i));
      }));

    it('closes in order when both sides close at once', () =>
      withPair(async ({ alice, bob }) => {
        const atAlice = listen(alice);
        const atBob = listen(bob);
        await Promise.all([alice.close(), bob.close()]);
        expect(await atAlice.closed).toBeUndefined();
        expect(await atBob.closed).toBeUndefined();
      }));

    it('says closed after the last frame even to a caller who starts it later', () =>
      withPair(async ({ alice, bob }) => {
        alice.send('last words');
        await alice.close();
        const atBob = listen(bob);
        expect(await atBob.closed).toBeUndefined();
        expect(atBob.frames).toEqual(['last words']);
      }));

    it('refuses to send from the call of close on', () =>
      withPair(async ({ alice, bob }) => {
        const closing = alice.close();
        const refusal = expect.objectContaining({ name: 'ConnectionError', code: 'closed' });
        expect(() => alice.send('late')).toThrow(refusal);
        await closing;
        expect(() => alice.send('later')).toThrow(refusal);
        await listen(bob).closed;
        expect(() => bob.send('too')).toThrow(refusal);
        await bob.drained();
        await bob.close();
      }));

    it('tells the destroying side why, and the other side that it is closed', () =>
      withPair(async ({ alice, bob }) => {
        const atAlice = listen(alice);
        const atBob = listen(bob);
        const why = new ProtocolError('malformed-frame', 'not what was agreed');
        alice.destroy(why);
        expect(await atAlice.closed).toBe(why);
        expect(await atBob.closed).toBeUndefined();
        await alice.close();
      }));

    it('wakes a waiting sender when it ends', () =>
      withPair(async ({ alice }) => {
        while (!alice.congested) alice.send(new Uint8Array(alice.maxFrameBytes));
        const drained = alice.drained();
        alice.destroy();
        await drained;
        expect(() => alice.send('more')).toThrow(ConnectionError);
      }));

    it('ends with the error of a handler that throws, and the process lives', () =>
      withPair(async ({ alice, bob }) => {
        const bug = new Error('a bug above');
        const ended = new Promise<Error | undefined>((resolve) => {
          bob.start({
            frame() {
              throw bug;
            },
            closed: resolve,
          });
        });
        const atAlice = listen(alice);
        alice.send('anything');
        expect(await ended).toBe(bug);
        expect(await atAlice.closed).toBeUndefined();
      }));

    it('ends when more arrives before its start than it may keep', () =>
      withPair(async ({ alice, bob }) => {
        const atAlice = listen(alice);
        const frame = new Uint8Array(alice.maxFrameBytes);
        for (let sent = 0; sent <= 17 * MiB; sent += frame.length) alice.send(frame);
        await atAlice.closed;
        expect(await listen(bob).closed).toMatchObject({ code: 'limit-exceeded' });
      }));

    it.runIf(canVanish)(
      'says peer-gone when the other side vanishes',
      () =>
        withPair(async ({ alice, bob, vanish }) => {
          if (vanish === undefined) throw new Error('the setup gave no way to vanish');
          const atAlice = listen(alice);
          listen(bob);
          vanish();
          expect(await atAlice.closed).toMatchObject({
            name: 'ConnectionError',
            code: 'peer-gone',
          });
          expect(() => alice.send('hello?')).toThrow(ConnectionError);
        }),
      90_000,
    );
  });
}
