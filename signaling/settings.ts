import { SignalingServerError } from './errors.ts';
import { DEFAULT_MAX_MESSAGE_BYTES, isIceUrl, MAX_ICE_URLS } from './messages.ts';

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

export type AuthKind = 'none' | 'token' | 'jwt';

/** Everything that an operator can set. SETTINGS says what each means, and its default. */
export interface SignalingSettings {
  readonly port: number;
  readonly host: string | undefined;
  readonly path: string;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  readonly trustedProxies: number;
  readonly origins: readonly string[];
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxMembersPerRoom: number;
  readonly maxRoomsPerSocket: number;
  readonly maxMessageBytes: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly messagesPerSecondPerAddress: number;
  readonly bytesPerSecondPerAddress: number;
  readonly burstSeconds: number;
  readonly idleSeconds: number;
  readonly heartbeatSeconds: number;
  readonly maxUnsentBytes: number;
  readonly drainSeconds: number;
  readonly retryMs: number;
  readonly logLevel: LogLevel;
  readonly auth: AuthKind;
  readonly token: string | undefined;
  readonly jwtSecret: string | undefined;
  readonly jwtPublicKeyFile: string | undefined;
  readonly jwtJwksFile: string | undefined;
  readonly jwtIssuer: string | undefined;
  readonly jwtAudience: string | undefined;
  readonly stunUrls: readonly string[];
  readonly turnUrls: readonly string[];
  readonly turnSecret: string | undefined;
  readonly turnTtlSeconds: number;
  readonly metricsPort: number | undefined;
  readonly metricsHost: string;
  readonly metricsToken: string | undefined;
  readonly brokerUrls: readonly string[];
  readonly brokerCredentialsFile: string | undefined;
  readonly brokerTlsCaFile: string | undefined;
  readonly brokerTlsCertFile: string | undefined;
  readonly brokerTlsKeyFile: string | undefined;
  readonly brokerPrefix: string;
  readonly brokerBeatSeconds: number;
}

/** One setting: how it is written in a flag or a variable, what it may be, what it is for. */
export interface Setting<T> {
  readonly about: string;
  readonly fallback: T;
  /** What stands for the value in a flag: `<count>`. */
  readonly placeholder: string;
  /** The value that a flag or variable means; undefined for none. */
  parse(text: string): T | undefined;
  /** What is wrong with a value, or undefined. */
  check(value: unknown): string | undefined;
}

/** The one table from which flags, variables, defaults, checks and the operators' table come. */
export const SETTINGS: { readonly [K in keyof SignalingSettings]: Setting<SignalingSettings[K]> } =
  {
    port: count('port to listen on; 0 for any free one', 8765, 0, 65_535),
    host: optionalText('address to listen on; all of the machine when it is not given'),
    path: text('path of the WebSocket', '/', /^\/[\w./~-]*$/),
    tlsCertFile: optionalText('PEM file of the TLS certificate, with its chain'),
    tlsKeyFile: optionalText('PEM file of the key to it'),
    trustedProxies: count(
      'how many proxies stand before the server: X-Forwarded-For is believed that far, counted from its end; 0 for not at all',
      0,
      0,
      16,
    ),
    origins: list(
      'origins of pages that may connect, such as https://app.example; every one when it is empty. Clients that are no browsers send none and may connect',
      isOrigin,
    ),
    maxConnections: count('connections at a time', 10_000, 1, 1_000_000),
    maxConnectionsPerAddress: count(
      'of those, from one IPv4 address or IPv6 /64',
      100,
      1,
      1_000_000,
    ),
    maxMembersPerRoom: count('members of a room', 64, 2, 1024),
    maxRoomsPerSocket: count('rooms that one connection is in', 32, 1, 1024),
    maxMessageBytes: count('bytes of a message', DEFAULT_MAX_MESSAGE_BYTES, 1024, 2 ** 20),
    messagesPerSecond: count('messages a second from one connection', 100, 1, 1_000_000),
    bytesPerSecond: count('bytes a second from one connection', 256 * 1024, 1024, 2 ** 30),
    messagesPerSecondPerAddress: count(
      'messages a second from one address; a new connection, or a plain request, counts as one',
      1000,
      1,
      10_000_000,
    ),
    bytesPerSecondPerAddress: count('bytes a second from one address', 2560 * 1024, 1024, 2 ** 33),
    burstSeconds: seconds('how many seconds of a rate may come at once', 5, 0.1, 3600),
    idleSeconds: seconds('seconds after which a connection in no room is closed', 60, 0.1, 86_400),
    heartbeatSeconds: seconds(
      'seconds between pings; a connection that answers none until the next is ended',
      25,
      0.1,
      3600,
    ),
    maxUnsentBytes: count(
      'bytes that may wait for a slow reader before its connection is ended',
      2 ** 20,
      64 * 1024,
      2 ** 30,
    ),
    drainSeconds: seconds(
      'seconds that clients have for leaving when the server stops',
      5,
      0,
      3600,
    ),
    retryMs: count('milliseconds after which they are told to come back', 2000, 0, 3_600_000),
    logLevel: choice('least level of what is logged', 'info', [
      'silent',
      'error',
      'warn',
      'info',
      'debug',
    ]),
    auth: choice('what a client has to show to join a room', 'none', ['none', 'token', 'jwt']),
    token: optionalText(
      'for auth token: the token that all clients share, 16 characters or more',
      16,
    ),
    jwtSecret: optionalText(
      'for auth jwt: the secret of HS256, HS384 or HS512, 32 bytes or more',
      32,
    ),
    jwtPublicKeyFile: optionalText(
      'for auth jwt, instead: PEM file of an RSA, EC or Ed25519 public key',
    ),
    jwtJwksFile: optionalText('for auth jwt, instead: JSON file of a set of public keys (JWKS)'),
    jwtIssuer: optionalText('the issuer (iss) that a JWT must name'),
    jwtAudience: optionalText('the audience (aud) that a JWT must name'),
    stunUrls: list(
      'STUN servers that clients are told of, such as stun:stun.example:3478',
      isIceUrl,
    ),
    turnUrls: list(
      'TURN servers that clients are told of, such as turn:turn.example:3478',
      isIceUrl,
    ),
    turnSecret: optionalText("the secret that these servers share (coturn's static-auth-secret)"),
    turnTtlSeconds: count('seconds for which TURN credentials serve', 3600, 60, 604_800),
    metricsPort: optionalCount(
      'port for /metrics and /health of its own; /metrics is then there only',
      0,
      65_535,
    ),
    metricsHost: text('address of that port', '127.0.0.1', /^\S+$/),
    metricsToken: optionalText('bearer token that /metrics asks for, 16 characters or more', 16),
    brokerUrls: list(
      'NATS servers of one cluster, by which several signaling servers share rooms: nats://host:4222 or tls://host:4222, with user:password@ or token@ before the host where they ask for it',
      isBrokerUrl,
    ),
    brokerCredentialsFile: optionalText(
      'file with credentials for NATS, instead: .creds, or a line with what would stand in the URL (user:password or a token)',
    ),
    brokerTlsCaFile: optionalText('PEM file of the authorities that NATS servers are trusted by'),
    brokerTlsCertFile: optionalText('PEM file of a client certificate for NATS'),
    brokerTlsKeyFile: optionalText('PEM file of the key to it'),
    brokerPrefix: text(
      'what all subjects on NATS begin with: servers with the same share rooms',
      'emberlink.signal',
      /^[\w-]+(?:\.[\w-]+)*$/,
    ),
    brokerBeatSeconds: seconds(
      'seconds between the words by which servers know of each other; after three without one, the members of a server are told to have left. The same on all servers',
      2,
      0.1,
      60,
    ),
  };

export type SettingName = keyof SignalingSettings;

export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS) as SettingName[];

/** `maxMessageBytes` → `--max-message-bytes` */
export function flagOf(name: SettingName): string {
  return `--${words(name).join('-')}`;
}

/** `maxMessageBytes` → `EMBERLINK_SIGNAL_MAX_MESSAGE_BYTES` */
export function variableOf(name: SettingName): string {
  return `EMBERLINK_SIGNAL_${words(name).join('_').toUpperCase()}`;
}

/** A default for people to read; empty where there is none. */
export function defaultOf(name: SettingName): string {
  const { fallback } = SETTINGS[name];
  return fallback === undefined ? '' : fallback.toString();
}

/**
 * What flags and variables say; a flag goes before a variable. An empty variable is none.
 * @throws SignalingServerError `invalid-setting`
 */
export function readSettings(
  flags: Partial<Record<SettingName, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): Partial<SignalingSettings> {
  const given: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const flag = flags[name];
    const text = flag ?? environment[variableOf(name)];
    if (text === undefined || (flag === undefined && text === '')) continue;
    const value = SETTINGS[name].parse(text);
    const wrong = SETTINGS[name].check(value);
    if (wrong !== undefined)
      throw invalid(name, flag === undefined ? variableOf(name) : flagOf(name), wrong);
    given[name] = value;
  }
  return given;
}

/**
 * All settings, those not given by their defaults.
 * @throws SignalingServerError `invalid-setting` for one out of bounds, and for those that do not go
 * together
 */
export function completeSettings(given: Partial<SignalingSettings>): SignalingSettings {
  const complete: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const value = given[name] ?? SETTINGS[name].fallback;
    const wrong = SETTINGS[name].check(value);
    if (wrong !== undefined) throw invalid(name, name, wrong);
    complete[name] = value;
  }
  const settings = complete as unknown as SignalingSettings;
  checkTogether(settings);
  return settings;
}

// --- what goes together ---

function checkTogether(settings: SignalingSettings): void {
  const { auth, token, tlsCertFile, tlsKeyFile, turnUrls, turnSecret } = settings;
  if (tlsCertFile !== undefined && tlsKeyFile === undefined) needs('tlsKeyFile', 'tlsCertFile');
  if (tlsKeyFile !== undefined && tlsCertFile === undefined) needs('tlsCertFile', 'tlsKeyFile');
  if (turnUrls.length > 0 && turnSecret === undefined) needs('turnSecret', 'turnUrls');
  if (turnSecret !== undefined && turnUrls.length === 0) needs('turnUrls', 'turnSecret');
  if (auth === 'token' && token === undefined) needs('token', 'auth token');
  // Whoever gives a token or a key believes that it is asked for.
  if (auth !== 'token' && token !== undefined) needs('auth token', 'token', 'auth');
  checkBroker(settings);
  const keys = (['jwtSecret', 'jwtPublicKeyFile', 'jwtJwksFile'] as const).filter(
    (name) => settings[name] !== undefined,
  );
  if (auth !== 'jwt' && keys.length > 0) needs('auth jwt', keys[0]!, 'auth');
  if (auth === 'jwt' && keys.length !== 1) {
    throw invalid('auth', 'auth', 'jwt needs one of jwtSecret, jwtPublicKeyFile and jwtJwksFile');
  }
}

function checkBroker(settings: SignalingSettings): void {
  const { brokerUrls, brokerCredentialsFile, brokerTlsCertFile, brokerTlsKeyFile } = settings;
  const files = ['brokerCredentialsFile', 'brokerTlsCaFile', 'brokerTlsCertFile'] as const;
  const file = files.find((name) => settings[name] !== undefined);
  if (brokerUrls.length === 0 && file !== undefined) needs('brokerUrls', file);
  if (brokerTlsCertFile !== undefined && brokerTlsKeyFile === undefined) {
    needs('brokerTlsKeyFile', 'brokerTlsCertFile');
  }
  if (brokerTlsKeyFile !== undefined && brokerTlsCertFile === undefined) {
    needs('brokerTlsCertFile', 'brokerTlsKeyFile');
  }
  // One set of them serves for the whole cluster.
  const logins = new Set(brokerUrls.map((url) => loginOf(url)));
  if (logins.size > 1) {
    throw invalid('brokerUrls', 'brokerUrls', 'must have the same credentials in all');
  }
  if (brokerCredentialsFile !== undefined && !logins.has('')) {
    throw invalid('brokerUrls', 'brokerUrls', 'has credentials, as has brokerCredentialsFile');
  }
}

/**
 * What stands in a URL before the host: `user:password`, a token, or nothing.
 * @throws TypeError, URIError when it is no URL
 */
export function loginOf(url: string): string {
  const { username, password } = new URL(url);
  return [username, password].filter(Boolean).map(decodeURIComponent).join(':');
}

function needs(missing: string, given: string, setting: string = missing): never {
  throw invalid(setting, given, `needs ${missing}`);
}

function invalid(setting: string, shown: string, wrong: string): SignalingServerError {
  return new SignalingServerError('invalid-setting', `${shown}: ${wrong}`, { setting });
}

// --- kinds of settings ---

function count(about: string, fallback: number, least: number, most: number): Setting<number> {
  return {
    about,
    fallback,
    placeholder: '<count>',
    parse: numberOf,
    check: within(least, most, true),
  };
}

function seconds(about: string, fallback: number, least: number, most: number): Setting<number> {
  return {
    about,
    fallback,
    placeholder: '<seconds>',
    parse: numberOf,
    check: within(least, most, false),
  };
}

function optionalCount(about: string, least: number, most: number): Setting<number | undefined> {
  return {
    ...count(about, least, least, most),
    fallback: undefined,
    check: optional(within(least, most, true)),
  };
}

function text(about: string, fallback: string, pattern: RegExp): Setting<string> {
  const wrong = `must match ${pattern.source}`;
  const check = (value: unknown): string | undefined =>
    typeof value === 'string' && pattern.test(value) ? undefined : wrong;
  return { about, fallback, placeholder: '<text>', parse: (given) => given, check };
}

function optionalText(about: string, least = 1): Setting<string | undefined> {
  const check = optional((value) =>
    typeof value === 'string' && value.length >= least
      ? undefined
      : `must be a text of at least ${least} characters`,
  );
  return { about, fallback: undefined, placeholder: '<text>', parse: (given) => given, check };
}

function list(about: string, isItem: (item: string) => boolean): Setting<readonly string[]> {
  return {
    about,
    fallback: [],
    placeholder: '<list>',
    parse: (given) =>
      given
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    check(value) {
      if (!Array.isArray(value)) return 'must be a list';
      if (isItem === isIceUrl && value.length > MAX_ICE_URLS) return `at most ${MAX_ICE_URLS}`;
      const wrong: unknown = value.find((item) => typeof item !== 'string' || !isItem(item));
      return wrong === undefined ? undefined : `bad item ${JSON.stringify(wrong)}`;
    },
  };
}

function choice<T extends string>(about: string, fallback: T, choices: readonly T[]): Setting<T> {
  return {
    about: `${about}: ${choices.join(', ')}`,
    fallback,
    placeholder: '<name>',
    parse: (given) => choices.find((each) => each === given),
    check: (value) =>
      choices.some((each) => each === value) ? undefined : `must be one of ${choices.join(', ')}`,
  };
}

function numberOf(given: string): number {
  return given.trim() === '' ? Number.NaN : Number(given);
}

type Check = (value: unknown) => string | undefined;

function within(least: number, most: number, whole: boolean): Check {
  const kind = whole ? 'a whole number' : 'a number';
  return (value) =>
    typeof value === 'number' &&
    value >= least &&
    value <= most &&
    (!whole || Number.isSafeInteger(value))
      ? undefined
      : `must be ${kind} from ${least} to ${most}`;
}

function optional(check: Check): Check {
  return (value) => (value === undefined ? undefined : check(value));
}

function isOrigin(item: string): boolean {
  return URL.canParse(item) && new URL(item).origin === item;
}

function isBrokerUrl(item: string): boolean {
  try {
    loginOf(item);
    const { protocol, hostname, pathname, search, hash } = new URL(item);
    const isBare = /^\/?$/.test(pathname) && search === '' && hash === '';
    return (protocol === 'nats:' || protocol === 'tls:') && hostname !== '' && isBare;
  } catch {
    return false;
  }
}

function words(name: SettingName): string[] {
  return name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}
