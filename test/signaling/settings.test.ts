import { expect, test } from 'vitest';
import { addressGroup, clientAddress, maskedAddress } from '../../signaling/address.ts';
import { createSignalingServer } from '../../signaling/server.ts';
import {
  completeSettings,
  readSettings,
  type SignalingSettings,
} from '../../signaling/settings.ts';
import { TokenBucket } from '../../signaling/token-bucket.ts';

test('a flag goes before a variable, a variable before the default, and an empty variable is none', () => {
  const environment = {
    EMBERLINK_SIGNAL_PORT: '1',
    EMBERLINK_SIGNAL_MAX_MEMBERS_PER_ROOM: '10',
    EMBERLINK_SIGNAL_HOST: '',
    EMBERLINK_SIGNAL_ORIGINS: 'https://a.example, http://b.example:8080',
  };
  const given = readSettings({ port: '2', burstSeconds: '0.5' }, environment);
  const { port, maxMembersPerRoom, host, origins, burstSeconds, path } = completeSettings(given);
  expect([port, maxMembersPerRoom, host, burstSeconds, path]).toEqual([2, 10, undefined, 0.5, '/']);
  expect(origins).toEqual(['https://a.example', 'http://b.example:8080']);
});

test.each<[keyof SignalingSettings, string]>([
  ['port', '65536'],
  ['port', 'http'],
  ['port', ''],
  ['maxMembersPerRoom', '1.5'],
  ['maxMembersPerRoom', '100000'],
  ['origins', 'https://a.example/path'],
  ['logLevel', 'loud'],
  ['path', 'no-slash'],
  ['turnUrls', 'http://turn.example'],
  ['token', 'short'],
  ['metricsPort', 'x'],
  ['brokerUrls', 'redis://a.example:6379'],
  ['brokerUrls', 'nats://%zz@a.example'],
  ['brokerUrls', 'a.example:4222'],
  ['brokerPrefix', 'rooms.>'],
])('%s cannot be %o', (name, text) => {
  const setting = expect.objectContaining({ code: 'invalid-setting', setting: name }) as unknown;
  expect(() => readSettings({ [name]: text }, {})).toThrow(setting as Error);
});

test.each<[Partial<SignalingSettings>, string]>([
  [{ tlsCertFile: 'cert.pem' }, 'tlsKeyFile'],
  [{ tlsKeyFile: 'key.pem' }, 'tlsCertFile'],
  [{ turnUrls: ['turn:a.example'] }, 'turnSecret'],
  [{ turnSecret: 'secret' }, 'turnUrls'],
  [{ auth: 'token' }, 'token'],
  [{ token: 'a token that is not asked for' }, 'auth'],
  [{ auth: 'jwt' }, 'auth'],
  [{ auth: 'jwt', jwtPublicKeyFile: 'a', jwtJwksFile: 'b' }, 'auth'],
  [{ jwtJwksFile: 'b' }, 'auth'],
  [{ brokerCredentialsFile: 'a.creds' }, 'brokerUrls'],
  [{ brokerUrls: ['tls://a.example'], brokerTlsCertFile: 'cert.pem' }, 'brokerTlsKeyFile'],
  [{ brokerUrls: ['tls://a.example'], brokerTlsKeyFile: 'key.pem' }, 'brokerTlsCertFile'],
  [{ brokerUrls: ['nats://one@a.example', 'nats://two@b.example'] }, 'brokerUrls'],
  [{ brokerUrls: ['nats://one@a.example'], brokerCredentialsFile: 'a.creds' }, 'brokerUrls'],
  [{ maxMessageBytes: 1 }, 'maxMessageBytes'],
  [{ origins: 'https://a.example' as unknown as string[] }, 'origins'],
])('settings %o do not go together or are out of bounds', (options, setting) => {
  const refusal = expect.objectContaining({ name: 'SignalingServerError', setting }) as unknown;
  expect(() => createSignalingServer(options)).toThrow(refusal as Error);
});

test('an address behind proxies is what the outermost trusted one has seen', () => {
  const header = '198.51.100.9, 192.0.2.1, 10.0.0.1';
  expect(clientAddress('10.0.0.2', header, 0)).toBe('10.0.0.2');
  expect(clientAddress('10.0.0.2', header, 1)).toBe('10.0.0.1');
  expect(clientAddress('10.0.0.2', header, 2)).toBe('192.0.2.1');
  expect(clientAddress('10.0.0.2', header, 4)).toBe('10.0.0.2');
  expect(clientAddress('10.0.0.2', undefined, 1)).toBe('10.0.0.2');
  expect(clientAddress('10.0.0.2', 'unknown', 1)).toBe('10.0.0.2');
  expect(clientAddress('10.0.0.2', '192.0.2.1:5000', 1)).toBe('192.0.2.1');
  expect(clientAddress('10.0.0.2', '[2001:db8::1]:5000', 1)).toBe('2001:db8::1');
  expect(clientAddress('::ffff:192.0.2.1', undefined, 0)).toBe('192.0.2.1');
});

test('IPv6 addresses of one /64 are one client, and logs keep less than that', () => {
  expect(addressGroup('192.0.2.1')).toBe('192.0.2.1');
  expect(addressGroup('2001:DB8:0:1::5')).toBe(addressGroup('2001:db8::1:a:b:c:d'));
  expect(addressGroup('2001:db8:0:1::5')).not.toBe(addressGroup('2001:db8:0:2::5'));
  expect(addressGroup('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  expect(maskedAddress('192.0.2.177')).toBe('192.0.2.0/24');
  expect(maskedAddress('2001:db8:1:2::5')).toBe('2001:db8:1::/48');
  expect(maskedAddress('')).toBe('unknown');
});

test('a bucket gives its capacity at once, then its rate', () => {
  const bucket = new TokenBucket(10, 20, 0);
  expect(bucket.take(20, 0)).toBe(true);
  expect(bucket.take(1, 99)).toBe(false);
  expect(bucket.take(1, 101)).toBe(true);
  expect(bucket.take(21, 1_000_000)).toBe(false);
  expect(bucket.isFull(1_000_000)).toBe(true);
  expect(bucket.take(20, 1_000_000)).toBe(true);
  // A clock that goes back gives nothing.
  expect(bucket.take(1, 0)).toBe(false);
});
