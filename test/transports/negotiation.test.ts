import { describe, expect, it } from 'vitest';
import {
  MAX_CANDIDATES,
  Negotiation,
  type NegotiationStep,
  type TrickleSignal,
} from '../../src/transports/negotiation.ts';
import { forSeeds } from '../support/random.ts';

function sdpOf(ufrag: string): string {
  return [
    'v=0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    `a=ice-ufrag:${ufrag}`,
    'a=ice-pwd:secret',
    'a=fingerprint:sha-256 00',
  ].join('\r\n');
}

function candidateOf(ufrag: string, port: number): TrickleSignal {
  const candidate = `candidate:1 1 udp 1 192.0.2.1 ${port} typ host`;
  return { type: 'candidate', candidate, ufrag };
}

/** The ports of the candidates that are to be added. */
function ports(steps: readonly NegotiationStep[]): number[] {
  return steps.flatMap((step) => (step.do === 'add' ? Number(step.candidate.split(' ')[5]) : []));
}

function ascending(one: number, other: number): number {
  return one - other;
}

describe('a negotiation', () => {
  it('adds each candidate once, after its description, in whatever order they come', () =>
    forSeeds(200, (random) => {
      const alice = new Negotiation(true);
      const bob = new Negotiation(false);
      const told = [
        alice.say({ type: 'offer', sdp: sdpOf('one') }),
        ...[1, 2, 3].map((port) => alice.say(candidateOf('one', port))),
      ];
      const steps = random.shuffled([...told, ...told]).flatMap((signal) => bob.hear(signal));
      expect(steps[0]).toEqual({ do: 'answer', sdp: sdpOf('one'), to: 0 });
      expect(steps.length).toBe(4);
      expect(ports(steps).sort(ascending)).toEqual([1, 2, 3]);
    }));

  it('ends with the newest description and all of its candidates', () =>
    forSeeds(200, (random) => {
      const alice = new Negotiation(true);
      const bob = new Negotiation(false);
      const told = ['one', 'two', 'three'].flatMap((ufrag, round) => [
        alice.say({ type: 'offer', sdp: sdpOf(ufrag) }),
        ...[1, 2].map((port) => alice.say(candidateOf(ufrag, 10 * round + port))),
      ]);
      const steps = random.shuffled(told).flatMap((signal) => bob.hear(signal));
      const newest = steps.map((step) => step.do).lastIndexOf('answer');
      expect(steps[newest]).toMatchObject({ sdp: sdpOf('three') });
      expect(ports(steps.slice(newest)).sort(ascending)).toEqual([21, 22]);
    }));

  it('takes an answer only to its newest offer, and once', () => {
    const alice = new Negotiation(true);
    const bob = new Negotiation(false);
    bob.hear(alice.say({ type: 'offer', sdp: sdpOf('one') }));
    const late = bob.say({ type: 'answer', sdp: sdpOf('b1'), to: 0 });
    bob.hear(alice.say({ type: 'offer', sdp: sdpOf('two') }));
    const right = bob.say({ type: 'answer', sdp: sdpOf('b2'), to: 1 });
    expect(alice.hear(late)).toEqual([]);
    expect(alice.hear(right)).toEqual([{ do: 'accept', sdp: sdpOf('b2'), to: 1 }]);
    expect(alice.hear(right)).toEqual([]);
    expect(alice.hear(late)).toEqual([]);
  });

  it('makes one offer for one request, however often that arrives', () => {
    const alice = new Negotiation(true);
    const request = new Negotiation(false).say({ type: 'restart' });
    expect(alice.hear(request)).toEqual([{ do: 'restart' }]);
    expect(alice.hear(request)).toEqual([]);
  });

  it('keeps and adds a bounded number of candidates', () => {
    const alice = new Negotiation(true);
    const bob = new Negotiation(false);
    const offer = alice.say({ type: 'offer', sdp: sdpOf('one') });
    for (let port = 0; port < 200; port++) {
      expect(bob.hear(alice.say(candidateOf('one', port)))).toEqual([]);
    }
    expect(ports(bob.hear(offer)).length).toBe(MAX_CANDIDATES);
    expect(bob.hear(alice.say(candidateOf('one', 999)))).toEqual([]);
  });
});
