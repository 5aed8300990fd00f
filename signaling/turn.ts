import { createHmac } from 'node:crypto';
import type { IceServer } from './messages.ts';
import type { SignalingSettings } from './settings.ts';

/** What `joined` tells of STUN and TURN. */
export interface IceOffer {
  readonly iceServers?: readonly IceServer[];
  readonly iceTtlSeconds?: number;
}

/**
 * The servers for one member, with credentials of its own by coturn's `use-auth-secret`: the username
 * is the Unix time of expiry and the member, the password its HMAC-SHA1 under the shared secret.
 */
export function iceOffer(settings: SignalingSettings, member: string, nowMs: number): IceOffer {
  const { stunUrls, turnUrls, turnSecret, turnTtlSeconds } = settings;
  const stun = stunUrls.length === 0 ? [] : [{ urls: stunUrls }];
  if (turnSecret === undefined) return stun.length === 0 ? {} : { iceServers: stun };
  const username = `${Math.floor(nowMs / 1000) + turnTtlSeconds}:${member}`;
  const credential = createHmac('sha1', turnSecret).update(username).digest('base64');
  return {
    iceServers: [...stun, { urls: turnUrls, username, credential }],
    iceTtlSeconds: turnTtlSeconds,
  };
}
