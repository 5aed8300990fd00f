import { describe, expect, it } from 'vitest';
import { SignalError } from '../../src/errors.ts';
import {
  decodeSignal,
  encodeSignal,
  offerMark,
  signalId,
  type Signal,
} from '../../src/transports/signal.ts';
import { WebRtcLink } from '../../src/transports/webrtc.ts';
import { SEED } from '../support/random.ts';

const FINGERPRINT = Array.from({ length: 32 }, (_, i) =>
  ((i * 37 + 5) & 255).toString(16).toUpperCase().padStart(2, '0'),
).join(':');

const chromiumOffer: Signal = {
  type: 'offer',
  sdp: [
    'v=0',
    'o=- 4611731400430051336 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'a=extmap-allow-mixed',
    'a=msid-semantic: WMS',
    'm=application 54400 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=candidate:2753231297 1 udp 2113937151 0f2d0cbf-5e5c-4d1a-9c0e-8f8f6d6a3b21.local 54400 typ host generation 0 network-cost 999',
    'a=candidate:1178914923 1 udp 2113939711 93c1aa04-11d2-4d70-8e0f-5a2ab7c6de90.local 61022 typ host generation 0 network-cost 999',
    'a=ice-ufrag:Ab3+',
    'a=ice-pwd:/h4Q+wDi6WzPldr6waUuTUNN',
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    'a=setup:actpass',
    'a=mid:0',
    'a=sctp-port:5000',
    'a=max-message-size:262144',
    '',
  ].join('\r\n'),
};

const firefoxAnswer: Signal = {
  type: 'answer',
  sdp: [
    'v=0',
    'o=mozilla...THIS_IS_SDPARTA-99.0 2398747283497234 0 IN IP4 0.0.0.0',
    's=-',
    't=0 0',
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    'a=group:BUNDLE 0',
    'a=msid-semantic:WMS *',
    'm=application 45000 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 203.0.113.9',
    'a=candidate:0 1 UDP 2122252543 192.168.178.20 45000 typ host',
    'a=candidate:2 1 UDP 2122187007 2001:db8::1:0:5 45001 typ host',
    'a=candidate:4 1 TCP 2105524479 192.168.178.20 9 typ host tcptype active',
    'a=candidate:1 1 UDP 1686052863 203.0.113.9 45002 typ srflx raddr 192.168.178.20 rport 45000',
    'a=candidate:3 1 UDP 92217343 198.51.100.7 50000 typ relay raddr 203.0.113.9 rport 45002',
    'a=sendrecv',
    'a=end-of-candidates',
    'a=ice-pwd:6a9b4c1e7d2f80536a9b4c1e7d2f8053',
    'a=ice-ufrag:9f8e7d6c',
    'a=mid:0',
    'a=setup:active',
    'a=sctp-port:5000',
    'a=max-message-size:1073741823',
    '',
  ].join('\r\n'),
};

async function nodeOffer(): Promise<Signal> {
  const link = new WebRtcLink({ iceServers: [], initiator: true });
  try {
    return await link.localSignal();
  } finally {
    link.destroy();
  }
}

function line(sdp: string, prefix: string): string | undefined {
  return sdp.split('\r\n').find((each) => each.startsWith(prefix));
}

/** Protocol, address, port and type of the UDP candidates, by falling priority. */
function candidates(sdp: string): string[] {
  return sdp
    .split('\r\n')
    .filter((each) => each.startsWith('a=candidate:'))
    .map((each) => each.split(' '))
    .filter((fields) => fields[2]!.toLowerCase() === 'udp')
    .sort((a, b) => Number(b[3]) - Number(a[3]))
    .map((fields) => `${normalAddress(fields[4]!)} ${fields[5]} ${fields[7]}`);
}

function normalAddress(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname : address;
}

function expectSameEssentials(actual: Signal, expected: Signal): void {
  expect(actual.type).toBe(expected.type);
  for (const prefix of ['a=ice-ufrag:', 'a=ice-pwd:', 'a=fingerprint:', 'a=setup:', 'a=max-m']) {
    expect(line(actual.sdp, prefix)).toBe(line(expected.sdp, prefix));
  }
  expect(candidates(actual.sdp)).toEqual(candidates(expected.sdp));
}

function errorOf(text: string): SignalError {
  try {
    const signal = decodeSignal(text);
    throw new Error(`decoded: ${JSON.stringify(signal)}`);
  } catch (error) {
    if (error instanceof SignalError) return error;
    throw error;
  }
}

function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a signal in the short form', () => {
  it('has about 130 letters and digits for a Chromium offer with two mDNS candidates', () => {
    const text = encodeSignal(chromiumOffer, 'short');
    expect(text).toMatch(/^ember[1-9A-HJ-NP-Za-km-z]+$/);
    expect(text.length).toBeLessThanOrEqual(140);
    const decoded = decodeSignal(text);
    expectSameEssentials(decoded, chromiumOffer);
    expect(decoded).toMatchObject({ form: 'short', marked: true });
  });

  it('has hardly more for Firefox, whose username and password are hexadecimal and longer', () => {
    const credentials = firefoxAnswer.sdp.match(/a=ice-(?:ufrag|pwd):.*/g)!;
    const sdp = chromiumOffer.sdp
      .replace(/a=ice-ufrag:.*/, credentials[1]!)
      .replace(/a=ice-pwd:.*/, credentials[0]!);
    const text = encodeSignal({ type: 'offer', sdp }, 'short');
    expect(text.length).toBeLessThanOrEqual(140);
    expectSameEssentials(decodeSignal(text), { type: 'offer', sdp });
  });

  it('keeps what matters of a Firefox answer with all kinds of candidates', () => {
    const text = encodeSignal(firefoxAnswer, 'short');
    expect(text).toMatch(/^ember/);
    expectSameEssentials(decodeSignal(text), firefoxAnswer);
  });

  it("keeps what matters of this machine's own offer", async () => {
    const offer = await nodeOffer();
    const text = encodeSignal(offer, 'short');
    expect(text).toMatch(/^ember/);
    expectSameEssentials(decodeSignal(text), offer);
  });

  it('keeps in an answer which offer it is for, at the cost of three characters', () => {
    const answers = offerMark(chromiumOffer.sdp);
    const text = encodeSignal({ ...firefoxAnswer, answers }, 'short');
    expect(decodeSignal(text).answers).toBe(answers);
    expect(decodeSignal(encodeSignal(firefoxAnswer, 'short'))).not.toHaveProperty('answers');
    const original = encodeSignal({ ...firefoxAnswer, answers }, 'original');
    expect(decodeSignal(original).answers).toBe(answers);
    expect(offerMark(decodeSignal(encodeSignal(chromiumOffer, 'short')).sdp)).toBe(answers);
    expect(offerMark(chromiumOffer.sdp.replace('Ab3+', 'Ab4+'))).not.toBe(answers);
  });

  it('keeps a passive setup and an uncommon or missing message size', () => {
    const passive = {
      type: 'answer' as const,
      sdp: chromiumOffer.sdp.replace('actpass', 'passive').replace('262144', '99999'),
    };
    expectSameEssentials(decodeSignal(encodeSignal(passive, 'short')), passive);
    const none = { ...passive, sdp: passive.sdp.replace('a=max-message-size:99999\r\n', '') };
    expect(decodeSignal(encodeSignal(none, 'short')).sdp).toContain('a=max-message-size:65536');
  });

  it('keeps the eight best candidates of each type of a machine with very many', () => {
    const many = Array.from(
      { length: 60 },
      (_, i) => `a=candidate:${i} 1 udp ${2_000_000_000 + i} 10.0.0.${i} ${1000 + i} typ host`,
    );
    const relay = 'a=candidate:99 1 udp 5 198.51.100.7 50000 typ relay raddr 0.0.0.0 rport 0';
    const sdp = chromiumOffer.sdp.replace(
      /a=candidate:[^]*(?=a=ice-ufrag)/,
      [...many, relay, ''].join('\r\n'),
    );
    const decoded = decodeSignal(encodeSignal({ type: 'offer', sdp }, 'short'));
    expect(candidates(decoded.sdp)).toEqual([
      ...Array.from({ length: 8 }, (_, i) => `10.0.0.${59 - i} ${1059 - i} host`),
      '198.51.100.7 50000 relay',
    ]);
  });

  it.each([
    ['another mid', 'a=mid:0', 'a=mid:data'],
    ['another SCTP port', 'a=sctp-port:5000', 'a=sctp-port:5001'],
    ['another hash', 'a=fingerprint:sha-256', 'a=fingerprint:sha-1'],
    ['ICE lite', 's=-', 's=-\r\na=ice-lite'],
    ['a foreign character in the username', 'a=ice-ufrag:Ab3+', 'a=ice-ufrag:Ab-+'],
    ['a host name as address', '0f2d0cbf-5e5c-4d1a-9c0e-8f8f6d6a3b21.local', 'example.org'],
    ['an address with a zone', '0f2d0cbf-5e5c-4d1a-9c0e-8f8f6d6a3b21.local', 'fe80::1%eth0'],
  ])('gives way to the full form for %s', (_, from, to) => {
    const signal: Signal = { type: 'offer', sdp: chromiumOffer.sdp.replace(from, to) };
    const text = encodeSignal(signal, 'short');
    expect(text).toMatch(/^eyJ/);
    expect(decodeSignal(text)).toEqual({ ...signal, form: 'original', marked: true });
  });
});

describe('a signal in the original form', () => {
  it('is the base64 of a JSON that the original reads too', () => {
    const text = encodeSignal(chromiumOffer, 'original');
    const parsed = JSON.parse(atob(text)) as unknown;
    expect(parsed).toEqual({ ...chromiumOffer, emberlink: 1 });
    expect(decodeSignal(text)).toEqual({ ...chromiumOffer, form: 'original', marked: true });
  });

  it('is not marked when the original made it', () => {
    const text = btoa(JSON.stringify(firefoxAnswer));
    expect(decodeSignal(text)).toEqual({ ...firefoxAnswer, form: 'original', marked: false });
  });

  it('is refused when it asks for more than one data channel connection', () => {
    const camera = `${chromiumOffer.sdp}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n`;
    for (const sdp of [camera, '', 'v=0', chromiumOffer.sdp.replace('a=ice-pwd', 'a=nothing')]) {
      expect(errorOf(btoa(JSON.stringify({ type: 'offer', sdp }))).code).toBe('not-a-signal');
    }
  });
});

/** As chats and mail scanners do with links. */
function wrapped(url: string): string {
  return `https://scan.example/?url=${encodeURIComponent(url)}&data=05%7C02%7C&reserved=0`;
}

const forms = [
  ['short', encodeSignal(chromiumOffer, 'short')],
  ['original', encodeSignal(chromiumOffer, 'original')],
  ['unmarked original', btoa(JSON.stringify(firefoxAnswer))],
] as const;

describe.each(forms)('a pasted %s signal', (_form, text) => {
  const expected = decodeSignal(text);
  const wrap = (width: number, newline: string): string =>
    text.match(new RegExp(`.{1,${width}}`, 'g'))!.join(newline);

  it.each([
    ['spaces and line breaks around it', `\n  ${text} \r\n\t`],
    ['line breaks within', wrap(20, '\n')],
    ['Windows line breaks and indents', wrap(76, '\r\n   ')],
    ['a space between all characters', text.split('').join(' ')],
    ['zero-width characters', wrap(10, '\u200b') + '\ufeff'],
    ['no-break spaces', `\u00a0${wrap(33, '\u00a0')}`],
    ['soft hyphens', wrap(15, '\u00ad')],
    ['straight quotes', `"${text}"`],
    ['curly quotes', `“${text}”`],
    ['guillemets', `«${text}»`],
    ['backticks', `\`\`\`\n${text}\n\`\`\``],
    ['angle brackets', `<${text}>`],
    ['quoting at line starts', `> ${wrap(40, '\n> ')}`],
    ['a URL before it', `https://example.org/join?x=1#${text}`],
    ['a named fragment', `https://example.org/#offer=${text}`],
    ['a percent-encoded fragment', `https://example.org/#${encodeURIComponent(text)}`],
    ['missing padding', text.replace(/=+$/, '')],
    ['base64url', text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')],
    ['emphasis', `*_${text}_*`],
    ['a full stop behind it', `My offer is ${text}. Take it!`],
    ['a bracket and an ellipsis', `(${text}…)`],
    ['a wrapped link', wrapped(`https://example.org/pair/#${text}`)],
    ['a link in a wrapped link', wrapped(wrapped(`https://example.org/pair/#${text}`))],
    ['a link and its preview', `https://a.example/#${text}\n[Pair](https://a.example/#${text})`],
    ['quoted-printable lines', `${wrap(70, '=\r\n')}=\r\n`],
    ['two levels of quoting', `>> ${wrap(40, '\n>> ')}\n> yes`],
    ['lines before and after', `Hi Bob!\nmy offer:\n\n${text}\n\nthanks, Alice`],
    ['words around it on one line', `here you are: ${text} bye`],
    ['words around it and wrapped', `remember my emberlink offer\n${wrap(30, '\n')}\nsee you soon`],
  ])('is repaired: %s', (_, mangled) => {
    expect(decodeSignal(mangled)).toEqual(expected);
  });

  it('survives random mangling', () => {
    const random = randomFrom(SEED);
    const dirt = ['\n', '\r\n', ' ', '\t', '\u200b', '\u200d', '\u00a0', '\ufeff', '\u2028', '"'];
    const around = ['', '“', '”', '<', '>', '> ', '`', '\n', 'hello\n', ' bye', '«', '…', "'"];
    for (let round = 0; round < 300; round++) {
      const characters = text.split('');
      for (let cuts = random(8); cuts > 0; cuts--) {
        characters.splice(random(characters.length), 0, dirt[random(dirt.length)]!);
      }
      const inside = characters.join('');
      // Dirt within the first five characters is repaired only where no other words are about.
      const alone = !inside.startsWith(text.slice(0, 5));
      const mangled = alone
        ? `  ${inside}  `
        : around[random(around.length)]! + `\n${inside}\n` + around[random(around.length)]!;
      expect(decodeSignal(mangled), `EMBERLINK_SEED=${SEED} ${JSON.stringify(mangled)}`).toEqual(
        expected,
      );
    }
  });

  it('is called truncated when any part of its end is missing', () => {
    const whole = text.replace(/=+$/, '');
    for (let length = 0; length < whole.length; length++) {
      const { code } = errorOf(whole.slice(0, length));
      if (length >= 16) expect(code, `the first ${length} characters`).toBe('truncated');
    }
    expect(errorOf('').code).toBe('not-a-signal');
  });

  it('never decodes to something else when characters change', () => {
    const random = randomFrom(SEED);
    for (let round = 0; round < 300; round++) {
      const at = random(text.length);
      const changed = `${text.slice(0, at)}${'kQ7z'[random(4)]!}${text.slice(at + 1)}`;
      try {
        const decoded = decodeSignal(changed);
        // The original form has no checksum: what it says is what it says.
        if (expected.form === 'short') expect(decoded, `EMBERLINK_SEED=${SEED}`).toEqual(expected);
      } catch (error) {
        expect(error, `EMBERLINK_SEED=${SEED}`).toBeInstanceOf(SignalError);
      }
    }
  });
});

describe('a text with several signals', () => {
  const offer = encodeSignal(chromiumOffer, 'short');
  const answer = encodeSignal(firefoxAnswer, 'short');
  const other = encodeSignal(
    { type: 'offer', sdp: chromiumOffer.sdp.replace('Ab3+', 'Cd4+') },
    'short',
  );

  it.each([
    ['in lines', `${offer}\n${answer}`],
    ['the other way round', `You: ${answer}. Me: ${offer}`],
    ['glued together', offer + answer],
    ['as glued links', `https://a.example/#${offer}https://a.example/#${answer}`],
    ['with a third that was cut off', `${other.slice(0, 60)}\n${offer} ${answer}`],
  ])('gives the one that is wanted: %s', (_, text) => {
    expect(decodeSignal(text, 'offer')).toEqual(decodeSignal(offer));
    expect(decodeSignal(text, 'answer')).toEqual(decodeSignal(answer));
  });

  it('gives the one that is there, wanted or not, however often it is repeated', () => {
    expect(decodeSignal(`${offer} ${offer}`, 'answer')).toEqual(decodeSignal(offer));
    expect(decodeSignal(offer + offer)).toEqual(decodeSignal(offer));
  });

  it('is refused when nobody can know which is meant', () => {
    expect(errorOf(`${offer}\n${other}`).code).toBe('several-signals');
    expect(errorOf(`${offer}\n${answer}`).code).toBe('several-signals');
  });
});

describe('a signal whose capitals were changed', () => {
  const text = encodeSignal(chromiumOffer, 'short');

  it('is repaired when a keyboard made the first letter a capital', () => {
    expect(decodeSignal(`E${text.slice(1)}`)).toEqual(decodeSignal(text));
  });

  it.each([
    ['lower case', text.toLowerCase()],
    ['upper case', text.toUpperCase()],
    ['lower case with a capital in front', `E${text.slice(1).toLowerCase()}`],
    ['a link in lower case', `https://example.org/pair/#${text.toLowerCase()}`],
  ])('is refused with a word about it: %s', (_, mangled) => {
    expect(errorOf(mangled).code).toBe('case-changed');
  });
});

describe('a text that is no signal', () => {
  it.each([
    ['nothing', ''],
    ['blanks', ' \n\t\u200b '],
    ['prose', 'Remember the embers of last September, ember by ember.'],
    ['a token of another kind', `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${btoa('{"sub":"1"}')}.c2ln`],
    ['a JSON of another kind', btoa('{"type":"candidate","candidate":"x"}')],
    ['base64 of a number', btoa('12345')],
  ])('is refused: %s', (_, text) => {
    expect(errorOf(text).code).toBe('not-a-signal');
  });

  it('is refused when it is longer than 64 KiB, even with a signal in it', () => {
    const text = encodeSignal(chromiumOffer, 'short');
    expect(errorOf(`${text} ${'x'.repeat(65_536)}`).code).toBe('not-a-signal');
  });

  it('is refused by a typed error whatever it is made of', () => {
    const random = randomFrom(SEED);
    const alphabet = ['ember', 'eyJ', ' ', 'z', '9', 'A', '=', '+', '{"', '\n', '%', '#', 'é'];
    for (let round = 0; round < 500; round++) {
      let text = '';
      for (let parts = random(400); parts > 0; parts--) text += alphabet[random(alphabet.length)]!;
      const codes = ['not-a-signal', 'truncated', 'case-changed'];
      expect(codes, `EMBERLINK_SEED=${SEED}`).toContain(errorOf(text).code);
    }
  });

  it('is refused within bounds when it is made to keep the search busy', () => {
    for (const piece of [
      'z',
      'https',
      'ember1',
      'emberAAAAAAAAAAAA ',
      'eyJ0eXBlIjoi ',
      'eyJ ',
      'e m b e r ',
      '%25',
    ]) {
      const text = piece.repeat(Math.floor(65_536 / piece.length));
      expect(['not-a-signal', 'truncated']).toContain(errorOf(text).code);
    }
  });
});

describe('the id of a signal', () => {
  it('is the same for the same connection in either form, and another for another', () => {
    const id = signalId(chromiumOffer.sdp);
    for (const form of ['short', 'original'] as const) {
      expect(signalId(decodeSignal(encodeSignal(chromiumOffer, form)).sdp)).toBe(id);
    }
    expect(signalId(chromiumOffer.sdp.replace('Ab3+', 'Ab4+'))).not.toBe(id);
    expect(signalId(firefoxAnswer.sdp)).not.toBe(id);
  });

  it('is refused to a text without one', () => {
    expect(() => signalId('v=0\r\n')).toThrow(SignalError);
  });
});
