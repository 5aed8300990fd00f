import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { SignalingSettings } from '../../signaling/settings.ts';
import { newProof, TestClient, TestServers } from './client.ts';

const servers = new TestServers();
const folder = mkdtempSync(join(tmpdir(), 'emberlink-auth-'));

afterEach(() => servers.close());
afterAll(() => rmSync(folder, { recursive: true }));

const SECRET = 'a secret of at least 32 characters';
const inAnHour = Math.floor(Date.now() / 1000) + 3600;

async function codeOf(client: TestClient, room: string, token?: string): Promise<string> {
  client.say({ type: 'join', room, proof: newProof().proof, token });
  return (await client.next('error')).code;
}

function jwt(
  claims: Record<string, unknown>,
  key: KeyObject | Uint8Array = new TextEncoder().encode(SECRET),
  alg = 'HS256',
  kid?: string,
): Promise<string> {
  const header = kid === undefined ? { alg } : { alg, kid };
  return new SignJWT({ exp: inAnHour, ...claims }).setProtectedHeader(header).sign(key);
}

test('a shared token lets in, another or none does not; the connection goes on', async () => {
  const { url, server } = await servers.start({ auth: 'token', token: 'correct horse battery' });
  const client = await TestClient.connect(url);
  expect(await codeOf(client, 'r')).toBe('unauthorized');
  expect(await codeOf(client, 'r', 'correct horse batterz')).toBe('unauthorized');
  expect(await codeOf(client, 'r', '')).toBe('unauthorized');
  await client.join('r', newProof(), 'correct horse battery');
  expect(server.stats().refusals.unauthorized).toBe(3);
});

test('a JWT lets into the rooms that it names, or into all', async () => {
  const { url } = await servers.start({ auth: 'jwt', jwtSecret: SECRET });
  const client = await TestClient.connect(url);
  const token = await jwt({ rooms: ['a', 'b'] });
  await client.join('a', newProof(), token);
  await client.join('b', newProof(), token);
  expect(await codeOf(client, 'c', token)).toBe('room-not-allowed');
  expect(await codeOf(client, 'c', await jwt({}))).toBe('room-not-allowed');
  expect(await codeOf(client, '0', await jwt({ rooms: 'abc' }))).toBe('room-not-allowed');
  await client.join('c', newProof(), await jwt({ rooms: '*' }));
});

test('a JWT that is expired, early, unsigned, forged or of another kind is refused', async () => {
  const { url } = await servers.start({
    auth: 'jwt',
    jwtSecret: SECRET,
    jwtIssuer: 'https://issuer.example',
    jwtAudience: 'signaling',
  });
  const client = await TestClient.connect(url);
  const good = { rooms: '*', iss: 'https://issuer.example', aud: 'signaling' };
  const token = await jwt(good);
  const [header, payload] = token.split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const bad = [
    await jwt({ ...good, exp: inAnHour - 7200 }),
    await jwt({ ...good, nbf: inAnHour }),
    await jwt({ ...good, iss: 'https://other.example' }),
    await jwt({ ...good, aud: 'other' }),
    await jwt({ rooms: '*' }),
    await jwt(good, new TextEncoder().encode('another secret of at least 32 characters')),
    `${none}.${payload}.`,
    `${header}.${payload}.`,
    `${token}x`,
    'not a token',
  ];
  for (const each of bad) expect(await codeOf(client, 'r', each)).toBe('unauthorized');
  await client.join('r', newProof(), token);
});

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');

test.each([
  ['RSA', rsa, 'RS256'],
  ['EC', ec, 'ES256'],
  ['Ed25519', ed, 'EdDSA'],
])('a JWT is checked by the %s key of a PEM file', async (name, { publicKey, privateKey }, alg) => {
  const jwtPublicKeyFile = join(folder, `${name}.pem`);
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  writeFileSync(jwtPublicKeyFile, pem);
  const { url } = await servers.start({ auth: 'jwt', jwtPublicKeyFile });
  const client = await TestClient.connect(url);
  await client.join('r', newProof(), await jwt({ rooms: '*' }, privateKey, alg));
  // The classic forgery: the public key as the secret of an HMAC.
  const forged = await jwt({ rooms: '*' }, new TextEncoder().encode(pem));
  expect(await codeOf(client, 'r2', forged)).toBe('unauthorized');
});

test('a JWT is checked by the key of a JWKS file that it names', async () => {
  const jwtJwksFile = join(folder, 'keys.json');
  const keys = [
    { ...(await exportJWK(ec.publicKey)), kid: 'old', alg: 'ES256' },
    { ...(await exportJWK(ed.publicKey)), kid: 'new', alg: 'EdDSA' },
  ];
  writeFileSync(jwtJwksFile, JSON.stringify({ keys }));
  const { url } = await servers.start({ auth: 'jwt', jwtJwksFile });
  const client = await TestClient.connect(url);
  await client.join('a', newProof(), await jwt({ rooms: '*' }, ec.privateKey, 'ES256', 'old'));
  await client.join('b', newProof(), await jwt({ rooms: '*' }, ed.privateKey, 'EdDSA', 'new'));
  const unknown = await jwt({ rooms: '*' }, rsa.privateKey, 'RS256', 'other');
  expect(await codeOf(client, 'c', unknown)).toBe('unauthorized');
});

test('messages that follow a join at once wait for its token to be looked at', async () => {
  const { url } = await servers.start({ auth: 'jwt', jwtSecret: SECRET });
  const [a, b] = [await TestClient.connect(url), await TestClient.connect(url)];
  const token = await jwt({ rooms: '*' });
  const { member } = await a.join('r', newProof(), token);
  b.say({ type: 'join', room: 'r', proof: newProof().proof, token });
  b.say({ type: 'send', room: 'r', to: member, data: 'first' });
  b.say({ type: 'leave', room: 'r' });
  b.say({ type: 'ping' });
  await b.next('joined');
  await b.next('pong');
  await a.next('entered');
  expect(await a.next('message')).toMatchObject({ data: 'first' });
  await a.next('left');
});

test('membership ends with the token, unless a join brings a new one', async () => {
  const { url } = await servers.start({ auth: 'jwt', jwtSecret: SECRET, heartbeatSeconds: 0.2 });
  const [a, b] = [await TestClient.connect(url), await TestClient.connect(url)];
  const soon = await jwt({ rooms: '*', exp: Math.floor(Date.now() / 1000) + 1 });
  const [alice, bob] = [newProof(), newProof()];
  await a.join('r', alice, soon);
  await b.join('r', bob, soon);
  await a.next('entered');
  await a.join('r', alice, await jwt({ rooms: '*' }));
  expect(await b.next('error')).toMatchObject({ code: 'unauthorized', room: 'r' });
  expect(await a.next('left')).toMatchObject({ member: bob.member });
  b.say({ type: 'send', room: 'r', to: alice.member, data: 'x' });
  expect(await b.next('error')).toMatchObject({ code: 'not-a-member' });
  await a.settled();
  expect(a.heard).toEqual([]);
});

test.each<[string, Partial<SignalingSettings>]>([
  ['jwtPublicKeyFile', { jwtPublicKeyFile: join(folder, 'missing.pem') }],
  ['jwtPublicKeyFile', { jwtPublicKeyFile: write('private.pem', pemOf(ec.privateKey)) }],
  ['jwtPublicKeyFile', { jwtPublicKeyFile: write('text.pem', 'no key') }],
  ['jwtJwksFile', { jwtJwksFile: write('no.json', '{"keys": 7}') }],
])(
  'a file of %s that cannot be used is an error when the server starts',
  async (setting, given) => {
    const started = servers.start({ auth: 'jwt', ...given });
    await expect(started).rejects.toMatchObject({ code: 'unreadable-file', setting });
  },
);

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
