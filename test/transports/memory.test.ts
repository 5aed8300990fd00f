import { describe, expect, it } from 'vitest';
import { createMemoryChannelPair } from '../../src/transports/memory.ts';
import { listen, testChannel } from '../suites/channel.suite.ts';

testChannel('memory', async () => {
  const [alice, bob] = createMemoryChannelPair();
  return { alice, bob, vanish: () => bob.cut() };
});

testChannel('memory with delays', async () => {
  const [alice, bob] = createMemoryChannelPair({ maxDelayMs: 3, seed: 7, maxFrameBytes: 131_072 });
  return { alice, bob, vanish: () => alice.cut() };
});

describe('a memory channel', () => {
  it('counts what was sent', async () => {
    const [alice, bob] = createMemoryChannelPair();
    listen(bob);
    alice.send('ü');
    alice.send(new Uint8Array(100));
    await alice.close();
    expect([alice.framesSent, alice.bytesSent]).toEqual([2, 102]);
    expect([bob.framesSent, bob.bytesSent]).toEqual([0, 0]);
  });

  it('loses what is on its way when the line is cut, on both sides', async () => {
    const [alice, bob] = createMemoryChannelPair();
    const atAlice = listen(alice);
    const atBob = listen(bob);
    alice.send('first');
    await atBob.count(1);
    alice.send('second');
    bob.send('third');
    alice.cut();
    expect(await atAlice.closed).toMatchObject({ code: 'peer-gone' });
    expect(await atBob.closed).toMatchObject({ code: 'peer-gone' });
    expect(atAlice.frames).toEqual([]);
    expect(atBob.frames).toEqual(['first']);
  });

  it('gives the receiver bytes of its own', async () => {
    const [alice, bob] = createMemoryChannelPair();
    const atBob = listen(bob);
    const bytes = Uint8Array.of(1, 2, 3);
    alice.send(bytes);
    await atBob.count(1);
    (atBob.frames[0] as Uint8Array)[0] = 99;
    expect(bytes[0]).toBe(1);
  });
});
