import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ConnectionError, SignalError } from '../../src/errors.ts';
import {
  MAX_LINK_SIGNAL_CHARACTERS,
  MAX_PORT_MESSAGE_BYTES,
  type Link,
  type LinkAttempt,
  type Linker,
  type Port,
} from '../../src/rooms/link.ts';
import { forSeeds, Random, setting } from '../support/random.ts';
import { type Attempts, openAttempts, type SignalPathOptions } from '../support/signal-path.ts';
import { listen, numberedFrame } from './channel.suite.ts';

const SEEDS = setting('EMBERLINK_LINK_SEEDS', 4);
const MiB = 1024 * 1024;

interface Pair extends Attempts {
  readonly fromAlice: Link;
  readonly fromBob: Link;
}

/** What came to a port, and the promise of more. */
function hearPort(port: Port): { messages: Uint8Array[]; count(wanted: number): Promise<void> } {
  const messages: Uint8Array[] = [];
  let waiting: { wanted: number; resolve: () => void }[] = [];
  port.listen((message) => {
    messages.push(message);
    for (const waiter of waiting) if (messages.length >= waiter.wanted) waiter.resolve();
    waiting = waiting.filter((waiter) => messages.length < waiter.wanted);
  });
  const count = (wanted: number): Promise<void> =>
    new Promise((resolve) => {
      if (messages.length >= wanted) resolve();
      else waiting.push({ wanted, resolve });
    });
  return { messages, count };
}

function numbers(messages: readonly (Uint8Array | string)[]): number[] {
  return messages.map((message) => {
    const bytes = message as Uint8Array;
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  });
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function typesOf(signals: readonly { readonly text: string }[]): string[] {
  return signals.map(({ text }) => (JSON.parse(text) as { type: string }).type);
}

function answersIn(signals: readonly { readonly text: string }[]): number {
  return typesOf(signals).filter((type) => type === 'answer').length;
}

/** Links over a line that can be stopped for a while. */
export interface StoppableLine {
  readonly linker: Linker;
  readonly path?: SignalPathOptions;
  stop(): void;
  goOn(): void;
  close?(): void;
}

/** The contract of rooms/link.ts, for every way to make links. */
export function testLinks(
  name: string,
  makeLinker: () => Linker,
  makeLine: () => Promise<StoppableLine>,
): void {
  async function withPair(
    test: (pair: Pair) => Promise<void>,
    path: SignalPathOptions = {},
    random = new Random(1),
    linker = makeLinker(),
  ): Promise<void> {
    const attempts = openAttempts(linker, random, path);
    try {
      const [fromAlice, fromBob] = await Promise.all([
        attempts.alice.connected,
        attempts.bob.connected,
      ]);
      await test({ ...attempts, fromAlice, fromBob });
    } finally {
      attempts.alice.destroy();
      attempts.bob.destroy();
    }
  }

  async function carriesFrames({ fromAlice, fromBob }: Pair): Promise<void> {
    const atAlice = listen(fromAlice.channel);
    const atBob = listen(fromBob.channel);
    fromAlice.channel.send('to bob');
    fromBob.channel.send('to alice');
    await Promise.all([atAlice.count(1), atBob.count(1)]);
    expect([atAlice.frames, atBob.frames]).toEqual([['to alice'], ['to bob']]);
  }

  describe(`links over ${name}`, () => {
    it('carry frames both ways', () => withPair(carriesFrames));

    it('come about by signals that are late, out of order and doubled', () =>
      forSeeds(SEEDS, (random) => withPair(carriesFrames, { maxDelayMs: 200, copies: 2 }, random)));

    it('come about when the first candidate of each side is lost', () => {
      const lost = new Set<string>();
      return withPair(
        async (pair) => {
          await carriesFrames(pair);
          expect(lost.size).toBe(2);
        },
        {
          isLost: (signal, from) => {
            const isFirst = typesOf([signal])[0] === 'candidate' && !lost.has(from);
            if (isFirst) lost.add(from);
            return isFirst;
          },
        },
      );
    });

    it('say connect-timeout when no signal arrives', async () => {
      const attempts = openAttempts(
        makeLinker(),
        new Random(1),
        { isLost: () => true },
        { connectTimeoutMs: 300 },
      );
      const refusal = { name: 'ConnectionError', code: 'connect-timeout' };
      await expect(attempts.alice.connected).rejects.toMatchObject(refusal);
      await expect(attempts.bob.connected).rejects.toMatchObject(refusal);
    });

    it('carry control messages in order and whole, beside bulk', () =>
      withPair(async ({ fromAlice, fromBob }) => {
        const atAlice = hearPort(fromAlice.control);
        const atBob = hearPort(fromBob.control);
        const bulk = listen(fromBob.channel);
        for (let i = 0; i < 100; i++) fromAlice.channel.send(numberedFrame(i, 65_536));
        for (let i = 0; i < 1000; i++) {
          expect(fromAlice.control.send(numberedFrame(i, 4 + (i % 100)))).toBe(true);
          expect(fromBob.control.send(numberedFrame(i, 4))).toBe(true);
        }
        expect(fromAlice.control.send(numberedFrame(1000, MAX_PORT_MESSAGE_BYTES))).toBe(true);
        await Promise.all([atAlice.count(1000), atBob.count(1001), bulk.count(100)]);
        expect(numbers(atAlice.messages)).toEqual(upTo(1000));
        expect(numbers(atBob.messages)).toEqual(upTo(1001));
        expect(atBob.messages[1000]!.length).toBe(MAX_PORT_MESSAGE_BYTES);
      }));

    it('hand over what came to a port before somebody listened', () =>
      withPair(async ({ fromAlice, fromBob }) => {
        const atAlice = hearPort(fromAlice.control);
        fromAlice.control.send(Uint8Array.of(1));
        fromAlice.control.send(new Uint8Array(0));
        // Another stream, and another message after it: by then the early ones are on their way or there.
        fromBob.control.send(Uint8Array.of(2));
        await atAlice.count(1);
        const atBob = hearPort(fromBob.control);
        await atBob.count(2);
        expect(atBob.messages).toEqual([Uint8Array.of(1), new Uint8Array(0)]);
      }));

    it('refuse messages that are too large for a port, and go on', () =>
      withPair(async (pair) => {
        for (const port of [pair.fromAlice.control, pair.fromAlice.datagrams!]) {
          expect(() => port.send(new Uint8Array(MAX_PORT_MESSAGE_BYTES + 1))).toThrow(
            expect.objectContaining({ name: 'ProtocolError', code: 'frame-too-large' }),
          );
        }
        await carriesFrames(pair);
      }));

    it('carry datagrams, whole if at all', () =>
      withPair(async ({ fromAlice, fromBob }) => {
        const atBob = hearPort(fromBob.datagrams!);
        const message = Uint8Array.from({ length: 1000 }, (_, i) => i);
        const repeat = setInterval(() => fromAlice.datagrams!.send(message), 5);
        await atBob.count(20);
        clearInterval(repeat);
        for (const received of atBob.messages) expect(received).toEqual(message);
      }));

    async function withLine(
      test: (pair: Pair, line: StoppableLine) => Promise<void>,
    ): Promise<void> {
      const line = await makeLine();
      try {
        await withPair((pair) => test(pair, line), line.path, new Random(1), line.linker);
      } finally {
        line.close?.();
      }
    }

    it('drop datagrams that would have to wait, and nothing else', () =>
      withLine(async (pair, line) => {
        const { fromAlice, fromBob } = pair;
        line.stop();
        const message = new Uint8Array(MAX_PORT_MESSAGE_BYTES);
        let taken = 0;
        while (taken < 1000 && fromAlice.datagrams!.send(message)) taken += 1;
        expect(taken).toBeGreaterThan(0);
        expect(taken).toBeLessThan(1000);
        const atBob = hearPort(fromBob.control);
        expect(fromAlice.control.send(Uint8Array.of(7))).toBe(true);
        line.goOn();
        await atBob.count(1);
        await carriesFrames(pair);
      }));

    it('end when the control messages of a busy sender pile up', () =>
      withLine(async ({ fromAlice }, line) => {
        const atAlice = listen(fromAlice.channel);
        line.stop();
        const message = new Uint8Array(MAX_PORT_MESSAGE_BYTES);
        let taken = 0;
        while (taken < 64 * MiB && fromAlice.control.send(message)) taken += message.length;
        expect(taken).toBeGreaterThan(MiB);
        expect(taken).toBeLessThan(16 * MiB);
        expect(await atAlice.closed).toBeInstanceOf(ConnectionError);
        expect(fromAlice.control.send(message)).toBe(false);
      }));

    it.each(['alice', 'bob'] as const)('end on both sides when %s destroys one', (who) =>
      withPair(async ({ alice, bob, fromAlice, fromBob }) => {
        const ends: string[] = [];
        const ended = [fromAlice, fromBob].map(
          ({ channel }, side) =>
            new Promise<void>((resolve) => {
              channel.start({
                frame: () => undefined,
                closed: () => {
                  ends.push(['alice', 'bob'][side]!);
                  resolve();
                },
              });
            }),
        );
        (who === 'alice' ? alice : bob).destroy();
        (who === 'alice' ? alice : bob).destroy();
        await Promise.all(ended);
        for (const { control, datagrams } of [fromAlice, fromBob]) {
          expect(control.send(Uint8Array.of(1))).toBe(false);
          expect(datagrams!.send(Uint8Array.of(1))).toBe(false);
        }
        alice.destroy();
        bob.destroy();
        alice.restart();
        bob.restart();
        await pause(50);
        expect(ends.sort()).toEqual(['alice', 'bob']);
      }),
    );

    it('tell the destroying side why', () =>
      withPair(async ({ alice, fromAlice, fromBob }) => {
        const atAlice = listen(fromAlice.channel);
        const atBob = listen(fromBob.channel);
        const why = new Error('enough');
        alice.destroy(why);
        expect(await atAlice.closed).toBe(why);
        expect(await atBob.closed).toBeUndefined();
      }));

    it('can be destroyed on either side at any moment', () =>
      forSeeds(SEEDS, async (random) => {
        const linker = makeLinker();
        const round = async (): Promise<void> => {
          const attempts = openAttempts(
            linker,
            random,
            { maxDelayMs: 20 },
            { connectTimeoutMs: 1500 },
          );
          const why = new Error('enough');
          const [one, other] = random.shuffled([attempts.alice, attempts.bob]);
          await pause(random.below(120));
          one!.destroy(why);
          const end = async (attempt: LinkAttempt): Promise<Error | undefined> => {
            const link = await attempt.connected;
            return listen(link.channel).closed;
          };
          expect(await end(one!).catch((error: unknown) => error)).toBe(why);
          // The other side may never have got that far.
          await end(other!).catch((error: unknown) => {
            expect(error).toMatchObject({ name: 'ConnectionError' });
          });
        };
        await Promise.all(Array.from({ length: 5 }, round));
      }));

    it.each(['alice', 'bob'] as const)('go on without a gap while %s looks for a new way', (who) =>
      withPair(async ({ alice, bob, told, fromAlice, fromBob }) => {
        const atBob = listen(fromBob.channel);
        const control = hearPort(fromAlice.control);
        const offers = (): number => typesOf(told.alice).filter((type) => type === 'offer').length;
        let next = 0;
        const send = setInterval(() => {
          fromAlice.channel.send(numberedFrame(next, 1000));
          fromBob.control.send(numberedFrame(next, 4));
          next += 1;
        }, 2);
        await pause(50);
        (who === 'alice' ? alice : bob).restart();
        while (answersIn(told.bob) < 2) await pause(10);
        await pause(300);
        clearInterval(send);
        await Promise.all([atBob.count(next), control.count(next)]);
        expect(numbers(atBob.frames)).toEqual(upTo(next));
        expect(numbers(control.messages)).toEqual(upTo(next));
        expect(offers()).toBe(2);
      }),
    );

    it.each(['offer', 'answer'])('go on when the %s for a new way is lost', (type) => {
      let seen = 0;
      return withPair(
        async ({ alice, told, fromAlice, fromBob }) => {
          const atBob = listen(fromBob.channel);
          const exchange = async (first: number): Promise<void> => {
            for (let i = 0; i < 50; i++) fromAlice.channel.send(numberedFrame(first + i, 1000));
            await atBob.count(first + 50);
          };
          alice.restart();
          while (seen < 2) await pause(10);
          await exchange(0);
          alice.restart();
          // Of three offers one was lost, or else one of three answers.
          while (answersIn(told.bob) < (type === 'offer' ? 2 : 3)) await pause(10);
          await exchange(50);
          expect(numbers(atBob.frames)).toEqual(upTo(100));
        },
        {
          isLost: (signal) => typesOf([signal])[0] === type && ++seen === 2,
        },
      );
    });

    it('refuse hostile signals, and come about all the same', async () => {
      const random = new Random(1);
      const sdp = (media: string): string =>
        `v=0\r\nm=${media}\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 AA\r\n`;
      const hostile = [
        '',
        'garbage',
        'null',
        '[]',
        '{"type":"offer"}',
        '{"type":"answer","sdp":"","to":0}',
        '{"type":"candidate","candidate":"candidate:nonsense","ufrag":"abcd"}',
        '{"type":"candidate","candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host\\r\\na=x","ufrag":""}',
        '{"type":"surprise"}',
        JSON.stringify({ type: 'offer', sdp: sdp('video 9 UDP/TLS/RTP/SAVPF 96') }),
        JSON.stringify({ type: 'answer', sdp: sdp('video 9 UDP/TLS/RTP/SAVPF 96'), to: 0 }),
        ' '.repeat(MAX_LINK_SIGNAL_CHARACTERS) + '{"type":"restart"}',
      ];
      const wrongWay = {
        alice: [
          JSON.stringify({ type: 'offer', sdp: sdp('application 9 UDP/DTLS/SCTP x') }),
          JSON.stringify({ type: 'answer', sdp: sdp('application 9 UDP/DTLS/SCTP x'), to: 99 }),
        ],
        bob: [
          JSON.stringify({ type: 'answer', sdp: sdp('application 9 UDP/DTLS/SCTP x'), to: 0 }),
          '{"type":"restart"}',
        ],
      };
      const attempts = openAttempts(makeLinker(), random);
      const attack = (): void => {
        for (const who of ['alice', 'bob'] as const) {
          [...hostile, ...wrongWay[who]].forEach((text, at) => {
            const refused = `${at}: ${text.slice(0, 60)}`;
            const signal = { number: 1000 + at, text };
            expect(() => attempts[who].hear(signal), refused).toThrow(SignalError);
          });
          for (const number of [-1, 0.5, Number.NaN, undefined as unknown as number]) {
            expect(() => attempts[who].hear({ number, text: '{"type":"restart"}' })).toThrow(
              SignalError,
            );
          }
        }
      };
      try {
        attack();
        const [fromAlice, fromBob] = await Promise.all([
          attempts.alice.connected,
          attempts.bob.connected,
        ]);
        attack();
        await carriesFrames({ ...attempts, fromAlice, fromBob });
      } finally {
        attempts.alice.destroy();
        attempts.bob.destroy();
      }
    });
  });
}
