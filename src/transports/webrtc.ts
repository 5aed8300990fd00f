/**
 * A connection to one peer over WebRTC: simple-peer makes it (it enters only here), a WebRtcChannel
 * carries its frames. Its signals are either one description with all candidates in it, for people
 * who paste, or trickle as they come.
 */
import SimplePeer from 'simple-peer';
import { ConnectionError, SignalError } from '../errors.ts';
import type { Channel } from '../protocol/channel.ts';
import type { DataPort } from './data-port.ts';
import { expectChannel } from './expect-channel.ts';
import { Farewell } from './farewell.ts';
import { patientPeerConnection } from './patient.ts';
import type { Signal } from './signal.ts';
import { leaveHandshakeToOffer, type Trickle } from './trickle.ts';
import { DEFAULT_MAX_FRAME_BYTES, hasThreshold, WebRtcChannel } from './webrtc-channel.ts';

/** The part of a WebRTC package for Node, or of a browser's globals, that is needed. */
export interface WebRtcImplementation {
  RTCPeerConnection: typeof RTCPeerConnection;
  RTCSessionDescription: typeof RTCSessionDescription;
  RTCIceCandidate: typeof RTCIceCandidate;
}

export interface WebRtcOptions {
  /** True for the side that makes the offer. */
  initiator: boolean;
  /** STUN and TURN servers. Default: simple-peer's public STUN servers. */
  iceServers?: RTCIceServer[];
  /** `relay`: only by way of a TURN server. Default `all`. */
  iceTransportPolicy?: RTCIceTransportPolicy;
  /** Default: the browser's; in Node the package installed as `wrtc`. */
  wrtc?: WebRtcImplementation;
  /** simple-peer or a class like it. */
  PeerClass?: SimplePeer.SimplePeer;
  /** From the construction of the link until it must be connected. Default 600,000. */
  connectTimeoutMs?: number;
  /** The largest frame to send. Default 65,536; never more than the other side takes. */
  maxFrameBytes?: number;
}

/** What the link of a room has beside its channel. */
export interface LinkExtras {
  /** Takes and gives the signals, in the place of `localSignal` and `acceptSignal`. */
  readonly trickle: Trickle;
  /** The link stands when the other side has this one too. */
  readonly control: DataPort;
  readonly datagrams: DataPort;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 600_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What simple-peer keeps to itself and we cannot do without. */
interface PeerInternals {
  readonly _pc: RTCPeerConnection | null;
  readonly _channel: RTCDataChannel | null;
  /** Never cleared by simple-peer: it would hold a Node process for 5 seconds. */
  readonly _iceCompleteTimer: ReturnType<typeof setTimeout> | null;
}

type Peer = SimplePeer.Instance & PeerInternals;

type LinkState =
  /** `peer` is missing while the WebRTC package is being loaded. */
  | { readonly phase: 'connecting'; readonly peer?: Peer }
  /** The channel stands, the control channel is not open yet. */
  | { readonly phase: 'opening'; readonly channel: WebRtcChannel }
  | { readonly phase: 'connected'; readonly channel: WebRtcChannel }
  | { readonly phase: 'ended' };

/** One attempt to connect to one peer: a local signal, a remote signal, then a Channel. */
export class WebRtcLink {
  /** Rejects with a ConnectionError when the attempt fails, times out or is destroyed. */
  readonly connected: Promise<Channel>;

  readonly #options: WebRtcOptions;
  readonly #extras: LinkExtras | undefined;
  readonly #timeoutMs: number;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #localSignal: Promise<Signal>;
  #resolveConnected!: (channel: Channel) => void;
  #rejectConnected!: (error: Error) => void;
  #resolveSignal!: (signal: Signal) => void;
  #rejectSignal!: (error: Error) => void;
  #state: LinkState = { phase: 'connecting' };
  #remoteSignal: Signal | undefined;
  #lastIceError = '';

  constructor(options: WebRtcOptions, extras?: LinkExtras) {
    this.#options = options;
    this.#extras = extras;
    this.#timeoutMs = Math.min(
      options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      MAX_TIMER_MS,
    );
    this.connected = new Promise((resolve, reject) => {
      this.#resolveConnected = resolve;
      this.#rejectConnected = reject;
    });
    this.#localSignal = new Promise((resolve, reject) => {
      this.#resolveSignal = resolve;
      this.#rejectSignal = reject;
    });
    // Whoever waits for them hears of a failure; whoever does not need not.
    this.connected.catch(() => undefined);
    this.#localSignal.catch(() => undefined);
    this.#timer = setTimeout(() => this.#timedOut(), this.#timeoutMs);
    this.#begin().catch((cause: unknown) => this.#fail(asConnectionError(cause)));
  }

  /**
   * The offer, or the answer to the accepted offer, with all candidates in it.
   * @throws ConnectionError when the link ends before
   */
  localSignal(): Promise<Signal> {
    return this.#localSignal;
  }

  /**
   * Takes the other side's offer or answer, once.
   * @throws SignalError `expected-answer` or `expected-offer` for the wrong kind, `already-used`
   *   for a second one
   * @throws ConnectionError `closed` after the link ended
   */
  acceptSignal(signal: Signal): void {
    if (this.#state.phase === 'ended') throw linkClosed();
    const expected = this.#options.initiator ? 'answer' : 'offer';
    if (signal.type !== expected) {
      throw new SignalError(
        `expected-${expected}`,
        `this link needs an ${expected}, not an ${signal.type}`,
      );
    }
    if (this.#remoteSignal !== undefined) {
      throw new SignalError('already-used', `this link has its ${expected}`);
    }
    this.#remoteSignal = signal;
    if (this.#state.phase === 'connecting' && this.#state.peer !== undefined) {
      this.#state.peer.signal({ type: signal.type, sdp: signal.sdp });
    }
  }

  /** Ends the attempt, or the channel when there is one. */
  destroy(error?: Error): void {
    const state = this.#state;
    switch (state.phase) {
      case 'connecting':
      case 'opening':
        this.#fail(error ?? linkClosed());
        return;
      case 'connected':
        state.channel.destroy(error);
        return;
      case 'ended':
        return;
    }
  }

  async #begin(): Promise<void> {
    const wrtc = this.#options.wrtc ?? globalWebRtc() ?? (await loadWebRtc());
    if (this.#state.phase !== 'connecting') return;
    const PeerClass = this.#options.PeerClass ?? SimplePeer;
    const { initiator, iceServers, iceTransportPolicy } = this.#options;
    const config = {
      ...(iceServers === undefined ? {} : { iceServers }),
      ...(iceTransportPolicy === undefined ? {} : { iceTransportPolicy }),
    };
    const peer = new PeerClass({
      initiator,
      trickle: this.#extras !== undefined,
      sdpTransform: (sdp: string) => (initiator ? sdp : leaveHandshakeToOffer(sdp)),
      // Else messages merge, text becomes bytes and empty messages vanish.
      objectMode: true,
      wrtc: {
        RTCPeerConnection: patientPeerConnection(wrtc.RTCPeerConnection, {
          timeoutMs: this.#timeoutMs,
          hidesLaterFailures: this.#extras !== undefined,
        }),
        RTCSessionDescription: wrtc.RTCSessionDescription,
        RTCIceCandidate: wrtc.RTCIceCandidate,
      },
      config,
    }) as Peer;
    this.#state = { phase: 'connecting', peer };
    // Without a connection simple-peer reports its failure presently.
    const farewell = peer._pc ? this.#beginOwnChannels(peer._pc) : undefined;
    this.#listen(peer, farewell);
    const remote = this.#remoteSignal;
    if (remote !== undefined) peer.signal({ type: remote.type, sdp: remote.sdp });
  }

  /** The channels that simple-peer does not make. */
  #beginOwnChannels(pc: RTCPeerConnection): Farewell {
    const farewell = new Farewell(pc);
    if (!this.#options.initiator && !hasThreshold(farewell.control)) expectChannel(pc);
    this.#beginExtras(pc);
    return farewell;
  }

  #beginExtras(pc: RTCPeerConnection): void {
    const { trickle, control, datagrams } = this.#extras ?? {};
    for (const port of [control, datagrams]) port?.begin(pc, (error) => this.destroy(error));
    trickle?.begin(pc, {
      unusable: (error) => {
        // A link that stands goes on as it was.
        if (this.#state.phase === 'connecting')
          this.#fail(connectFailed(error, this.#lastIceError));
      },
      lost: (error) => this.destroy(error),
    });
  }

  #listen(peer: Peer, farewell: Farewell | undefined): void {
    peer._pc?.addEventListener('icecandidateerror', (event) => {
      const { url, errorCode, errorText } = event;
      this.#lastIceError = ` (${url}: ${errorCode} ${errorText})`;
    });
    peer.on('signal', (signal) => {
      if ('sdp' in signal && (signal.type === 'offer' || signal.type === 'answer')) {
        const { type, sdp = '' } = signal;
        this.#extras?.trickle.offered(sdp);
        this.#resolveSignal({ type, sdp });
      }
    });
    peer.on('connect', () => this.#connect(peer, farewell));
    let failure: Error | undefined;
    peer.on('error', (error) => {
      failure = error;
    });
    peer.on('close', () => {
      clearTimeout(peer._iceCompleteTimer ?? undefined);
      const state = this.#state;
      if (state.phase === 'connected') state.channel.peerClosed(failure);
      else this.#fail(connectFailed(failure, this.#lastIceError));
      this.#state = { phase: 'ended' };
    });
  }

  #connect(peer: Peer, farewell: Farewell | undefined): void {
    const data = peer._channel;
    if (this.#state.phase !== 'connecting' || data === null || farewell === undefined) return;
    const { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES } = this.#options;
    const channel = new WebRtcChannel(peer, data, {
      maxFrameBytes,
      farewell,
      halted: () => this.#haltPorts(),
      ended: () => this.#endExtras(),
    });
    this.#state = { phase: 'opening', channel };
    if (this.#extras === undefined) this.#stand(channel);
    else void this.#extras.control.opened.then(() => this.#stand(channel));
  }

  #stand(channel: WebRtcChannel): void {
    if (this.#state.phase !== 'opening') return;
    clearTimeout(this.#timer);
    this.#state = { phase: 'connected', channel };
    this.#resolveConnected(channel);
  }

  #haltPorts(): void {
    this.#extras?.control.halt();
    this.#extras?.datagrams.halt();
  }

  #endExtras(): void {
    this.#extras?.control.end();
    this.#extras?.datagrams.end();
    this.#extras?.trickle.end();
  }

  #timedOut(): void {
    const missing = this.#state.phase === 'opening' ? ': the peer has no control channel' : '';
    this.#fail(
      new ConnectionError(
        'connect-timeout',
        `no connection within ${this.#timeoutMs / 1000} s${missing}${this.#lastIceError}`,
      ),
    );
  }

  #fail(error: Error): void {
    const state = this.#state;
    if (state.phase !== 'connecting' && state.phase !== 'opening') return;
    this.#state = { phase: 'ended' };
    clearTimeout(this.#timer);
    this.#rejectConnected(error);
    this.#rejectSignal(error);
    this.#endExtras();
    if (state.phase === 'opening') {
      state.channel.destroy(error);
    } else if (state.peer !== undefined) {
      clearTimeout(state.peer._iceCompleteTimer ?? undefined);
      state.peer.destroy();
    }
  }
}

// --- errors ---

function linkClosed(): ConnectionError {
  return new ConnectionError('closed', 'the link was closed before it connected');
}

function connectFailed(cause: Error | undefined, iceError: string): ConnectionError {
  const reason = cause?.message ?? 'the connection was closed';
  return new ConnectionError('connect-failed', `no connection: ${reason}${iceError}`, { cause });
}

function asConnectionError(cause: unknown): ConnectionError {
  if (cause instanceof ConnectionError) return cause;
  return connectFailed(cause instanceof Error ? cause : new Error(String(cause)), '');
}

// --- WebRTC in Node ---

function globalWebRtc(): WebRtcImplementation | undefined {
  return typeof globalThis.RTCPeerConnection === 'function' ? globalThis : undefined;
}

async function loadWebRtc(): Promise<WebRtcImplementation> {
  // A variable, so that bundlers for browsers do not look for the package.
  const name = 'wrtc';
  try {
    const loaded = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
      default: WebRtcImplementation;
    };
    return loaded.default;
  } catch (cause) {
    throw new ConnectionError(
      'no-webrtc',
      'there is no WebRTC here. In Node install it: npm install wrtc@npm:@roamhq/wrtc',
      { cause },
    );
  }
}
