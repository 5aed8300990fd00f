import { setTimeout } from 'node:timers/promises';
import type { ConnectionOptions, Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Broker, BrokerCounts, BrokerListener, RoomWord, ServerWord } from './broker.ts';
import { parseRoomWord, parseServerWord, type WordLimits } from './broker-words.ts';
import { SignalingServerError } from './errors.ts';
import { readSettingFile } from './setting-file.ts';
import { loginOf, type SignalingSettings } from './settings.ts';

type Nats = typeof import('@nats-io/transport-node');

/** Words of another version have other subjects, so that servers of both can run at a time. */
const BROKER_VERSION = 1;

const CONNECT_TIMEOUT_MS = 3000;
/** Between two attempts: half of it, and a random part of the other half. */
const RETRY_MS = 1000;
/** A connection on which two pings had no answer is dead. */
const PING_INTERVAL_MS = 5000;
/** What may be under way to the broker; beyond that, words are dropped. */
const MAX_UNCONFIRMED_BYTES = 8 * 1024 * 1024;
/** How often it is asked how far it has come. */
const CONFIRM_BYTES = 64 * 1024;
/** How long closing waits for the last words to leave. */
const LAST_WORDS_MS = 1000;

/**
 * Servers that share rooms over NATS: a subject for each room, which a server follows while it has
 * members there, and one for what servers tell all others. It connects by itself, for as long as it
 * takes, and again whenever the connection is lost.
 */
export class NatsBroker implements Broker {
  readonly name = 'nats';
  readonly counts: BrokerCounts = { published: 0, received: 0, dropped: 0, malformed: 0 };
  readonly #settings: SignalingSettings;
  readonly #log: Logger;
  readonly #roomSubject: string;
  readonly #serversSubject: string;
  /** By room; undefined while there is no connection to have it on. */
  readonly #subscriptions = new Map<string, Subscription | undefined>();
  readonly #closing = new AbortController();
  #listener: BrokerListener | undefined;
  #connection: NatsConnection | undefined;
  #isUp = false;
  /** Bytes that have left, as far as is known, and of these those that nobody was asked about. */
  #unconfirmedBytes = 0;
  #unaskedBytes = 0;

  constructor(settings: SignalingSettings, log: Logger) {
    this.#settings = settings;
    this.#log = log;
    const prefix = `${settings.brokerPrefix}.${BROKER_VERSION}`;
    this.#roomSubject = `${prefix}.room.`;
    this.#serversSubject = `${prefix}.servers`;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  async open(listener: BrokerListener): Promise<void> {
    this.#listener = listener;
    const nats = await loadNats();
    const options = await this.#readOptions(nats);
    this.#run(nats, options).catch((error: unknown) =>
      this.#log.error({ err: error }, 'failure of the broker'),
    );
  }

  subscribe(room: string): void {
    this.#subscriptions.set(room, this.#follow(room));
  }

  unsubscribe(room: string): void {
    this.#subscriptions.get(room)?.unsubscribe();
    this.#subscriptions.delete(room);
  }

  publish(room: string, word: RoomWord): void {
    this.#publish(this.#roomSubject + room, word);
  }

  announce(word: ServerWord): void {
    this.#publish(this.#serversSubject, word);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      if (this.#isUp)
        await Promise.race([
          connection.flush(),
          setTimeout(LAST_WORDS_MS, undefined, { ref: false }),
        ]);
    } catch (error) {
      this.#log.debug({ err: error }, 'last words to the broker were lost');
    }
    await connection.close();
  }

  // --- the connection ---

  /** Ends when the broker is closed, and not before. */
  async #run(nats: Nats, options: ConnectionOptions): Promise<void> {
    const { signal } = this.#closing;
    let told = '';
    while (!signal.aborted) {
      try {
        const connection = await nats.connect(options);
        told = '';
        await this.#use(connection);
      } catch (error) {
        // Once for each reason: an absent broker would fill the log.
        const { message } = error as Error;
        if (message !== told) this.#log.warn({ reason: message }, 'no broker');
        told = message;
      }
      const retryMs = (RETRY_MS * (1 + Math.random())) / 2;
      await setTimeout(retryMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Serves a connection, through all its interruptions, until it ends for good. */
  async #use(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) return connection.close();
    const statuses = connection.status();
    this.#connection = connection;
    connection.subscribe(this.#serversSubject, {
      callback: (error, message) => this.#hearOfServer(error, message),
    });
    for (const room of this.#subscriptions.keys()) this.subscribe(room);
    this.#goUp();
    for await (const status of statuses) {
      if (status.type === 'disconnect') this.#goDown('the connection is lost');
      else if (status.type === 'reconnect') this.#goUp();
      else if (status.type === 'error') {
        this.#log.warn({ reason: status.error.message }, 'the broker refuses something');
      }
    }
    this.#connection = undefined;
    for (const room of this.#subscriptions.keys()) this.#subscriptions.set(room, undefined);
    const reason = await connection.closed();
    if (!this.#closing.signal.aborted) this.#goDown(reason?.message ?? 'the connection has ended');
    this.#isUp = false;
  }

  #goUp(): void {
    this.#isUp = true;
    this.#log.info({ broker: this.#connection?.getServer() }, 'broker connected');
    this.#listener
      ?.up()
      .catch((error: unknown) => this.#log.error({ err: error }, 'failure in a greeting'));
  }

  #goDown(reason: string): void {
    if (this.#isUp) this.#log.warn({ reason }, 'broker lost; rooms are of this server alone');
    this.#isUp = false;
  }

  // --- words ---

  #publish(subject: string, word: RoomWord | ServerWord): void {
    const connection = this.#connection;
    const bytes = Buffer.from(JSON.stringify(word));
    const most = connection?.info?.max_payload ?? 0;
    const isBehind = this.#unconfirmedBytes > MAX_UNCONFIRMED_BYTES;
    if (connection === undefined || !this.#isUp || isBehind || bytes.length > most) {
      this.counts.dropped++;
      return;
    }
    try {
      connection.publish(subject, bytes);
    } catch (error) {
      this.counts.dropped++;
      this.#log.debug({ err: error }, 'the connection to the broker takes nothing');
      return;
    }
    this.counts.published++;
    this.#unconfirmedBytes += bytes.length;
    this.#unaskedBytes += bytes.length;
    if (this.#unaskedBytes >= CONFIRM_BYTES) this.#confirm(connection);
  }

  /** The connection's own buffer has no bound; this is how much of it is known to have left. */
  #confirm(connection: NatsConnection): void {
    const bytes = this.#unaskedBytes;
    this.#unaskedBytes = 0;
    const settle = (): void => {
      this.#unconfirmedBytes -= bytes;
    };
    // What a lost connection held is gone.
    connection.flush().then(settle, settle);
  }

  #follow(room: string): Subscription | undefined {
    try {
      return this.#connection?.subscribe(this.#roomSubject + room, {
        callback: (error, message) => this.#hearOfRoom(error, message),
      });
    } catch (error) {
      // It is at its end: the next one follows all rooms.
      this.#log.debug({ err: error }, 'the connection to the broker takes no subscription');
      return undefined;
    }
  }

  #hearOfRoom(error: Error | null, message: Msg): void {
    if (error !== null) return this.#refused(error);
    const word = parseRoomWord(message.string(), this.#limits());
    if (word === undefined) return this.#passOver(message);
    this.counts.received++;
    this.#guard(() =>
      this.#listener?.hearOfRoom(message.subject.slice(this.#roomSubject.length), word),
    );
  }

  #hearOfServer(error: Error | null, message: Msg): void {
    if (error !== null) return this.#refused(error);
    const word = parseServerWord(message.string(), this.#limits());
    if (word === undefined) return this.#passOver(message);
    this.counts.received++;
    this.#guard(() => this.#listener?.hearOfServer(word));
  }

  #limits(): WordLimits {
    return { maxDataCharacters: this.#settings.maxMessageBytes, nowMs: Date.now() };
  }

  #refused(error: Error): void {
    this.#log.error({ reason: error.message }, 'the broker refuses a subscription');
  }

  #passOver(message: Msg): void {
    this.counts.malformed++;
    this.#log.debug({ bytes: message.data.length }, 'not a word of a server');
  }

  /** What is thrown here would end the reading of the connection. */
  #guard(hear: () => void): void {
    try {
      hear();
    } catch (error) {
      this.#log.error({ err: error }, 'failure in a word of another server');
    }
  }

  // --- options ---

  async #readOptions(nats: Nats): Promise<ConnectionOptions> {
    const { brokerUrls, brokerTlsCaFile, brokerTlsCertFile, brokerTlsKeyFile } = this.#settings;
    const [ca, cert, key] = await Promise.all([
      readText('brokerTlsCaFile', brokerTlsCaFile),
      readText('brokerTlsCertFile', brokerTlsCertFile),
      readText('brokerTlsKeyFile', brokerTlsKeyFile),
    ]);
    const isTls = brokerUrls.some((url) => url.startsWith('tls:')) || (ca ?? cert) !== undefined;
    const tls = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    };
    return {
      servers: brokerUrls.map((url) => new URL(url).host),
      name: 'emberlink-signal',
      noEcho: true,
      maxReconnectAttempts: -1,
      // New credentials may be on their way to the broker; it is asked again like one that is away.
      ignoreAuthErrorAbort: true,
      timeout: CONNECT_TIMEOUT_MS,
      reconnectTimeWait: RETRY_MS / 2,
      reconnectJitter: RETRY_MS / 2,
      reconnectJitterTLS: RETRY_MS / 2,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
      ...(isTls ? { tls } : {}),
      ...(await this.#readLogin(nats)),
    };
  }

  async #readLogin(nats: Nats): Promise<ConnectionOptions> {
    const { brokerUrls, brokerCredentialsFile } = this.#settings;
    const text = await readText('brokerCredentialsFile', brokerCredentialsFile);
    if (text?.includes('BEGIN NATS USER JWT') === true) {
      return { authenticator: nats.credsAuthenticator(Buffer.from(text)) };
    }
    const login = text?.trim() ?? loginOf(brokerUrls[0]!);
    if (login === '') return {};
    const [user = '', ...rest] = login.split(':');
    return rest.length === 0 ? { token: user } : { user, pass: rest.join(':') };
  }
}

async function readText(setting: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return readSettingFile(setting, file, (bytes) => bytes.toString());
}

/** It is loaded only where there is a broker: most servers stand alone. */
async function loadNats(): Promise<Nats> {
  // A variable, so that bundlers do not look for it.
  const name = '@nats-io/transport-node';
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as Nats;
  } catch (cause) {
    throw new SignalingServerError(
      'missing-package',
      `brokerUrls needs a package that is not installed: npm install ${name}@3`,
      { setting: 'brokerUrls', cause },
    );
  }
}
