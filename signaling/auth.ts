import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
} from 'jose';
import { equalSecrets } from './secrets.ts';
import { readSettingFile } from './setting-file.ts';
import type { SignalingSettings } from './settings.ts';

export type Verdict =
  /** Allowed, until then by `Date.now`; for as long as it likes where that is undefined. */
  | { readonly allowed: true; readonly untilMs?: number | undefined }
  | {
      readonly allowed: false;
      readonly code: 'unauthorized' | 'room-not-allowed';
      readonly message: string;
    };

/** Whether a token lets its bearer into a room. It never throws or rejects. */
export type Authorize = (token: string | undefined, room: string) => Verdict | Promise<Verdict>;

const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
const PUBLIC_KEY_ALGORITHMS =
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ');

/** A clock of the issuer's that is a little ahead does no harm. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** @throws SignalingServerError `unreadable-file`, in the promise */
export async function createAuthorize(settings: SignalingSettings): Promise<Authorize> {
  switch (settings.auth) {
    case 'none':
      return () => ({ allowed: true });
    case 'token':
      return sharedToken(settings.token!);
    case 'jwt':
      return jwt(await createVerify(settings));
  }
}

function sharedToken(expected: string): Authorize {
  return (token) => {
    if (token === undefined) return MISSING;
    return equalSecrets(token, expected)
      ? { allowed: true }
      : refused('unauthorized', 'wrong token');
  };
}

type Verify = (token: string) => Promise<{ readonly payload: JWTPayload }>;

function jwt(verify: Verify): Authorize {
  return async (token, room) => {
    if (token === undefined) return MISSING;
    let payload: JWTPayload;
    try {
      ({ payload } = await verify(token));
    } catch (error) {
      // What is wrong in a token is told by the kind of error; its text may hold parts of the token.
      const why =
        error instanceof errors.JWTExpired ? 'the token has expired' : 'the token is not valid';
      return refused('unauthorized', why);
    }
    const { rooms, exp } = payload;
    const isAllowed = rooms === '*' || (Array.isArray(rooms) && rooms.includes(room));
    if (!isAllowed) return refused('room-not-allowed', 'the token is not for this room');
    return { allowed: true, untilMs: exp === undefined ? undefined : exp * 1000 };
  };
}

async function createVerify(settings: SignalingSettings): Promise<Verify> {
  const { jwtSecret, jwtPublicKeyFile, jwtJwksFile, jwtIssuer, jwtAudience } = settings;
  const claims: JWTVerifyOptions = {
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...(jwtIssuer === undefined ? {} : { issuer: jwtIssuer }),
    ...(jwtAudience === undefined ? {} : { audience: jwtAudience }),
  };
  if (jwtSecret !== undefined) {
    const key = new TextEncoder().encode(jwtSecret);
    return (token) => jwtVerify(token, key, { ...claims, algorithms: HMAC_ALGORITHMS });
  }
  const options = { ...claims, algorithms: PUBLIC_KEY_ALGORITHMS };
  if (jwtPublicKeyFile !== undefined) {
    const key = await readSettingFile('jwtPublicKeyFile', jwtPublicKeyFile, publicKey);
    return (token) => jwtVerify(token, key, options);
  }
  const keys = await readSettingFile('jwtJwksFile', jwtJwksFile!, (bytes) =>
    createLocalJWKSet(JSON.parse(bytes.toString()) as JSONWebKeySet),
  );
  return (token) => jwtVerify(token, keys, options);
}

/** A private key also has a public one; but it has no business here. */
function publicKey(bytes: Buffer): KeyObject {
  if (bytes.includes('PRIVATE KEY')) throw new Error('this is a private key');
  return createPublicKey(bytes);
}

function refused(code: 'unauthorized' | 'room-not-allowed', message: string): Verdict {
  return { allowed: false, code, message };
}

const MISSING = refused('unauthorized', 'this server asks for a token');
