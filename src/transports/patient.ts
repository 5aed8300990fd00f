/**
 * An RTCPeerConnection with four better habits.
 *
 * Patience: a pasted answer takes minutes to arrive, but ICE of the answering side gives up after
 * 15 seconds when it cannot reach the offering side (a NAT that waits for an outgoing packet first).
 * Until the first connect, or the deadline, this connection reports `connecting` and `checking`
 * where it would say `failed` or `disconnected`, and every 4 seconds it adds the remote candidates
 * again. They need a new foundation and a lower priority each time, else they count as known. So the
 * checks go on, and they keep the pinhole in one's own NAT open.
 *
 * A second chance, if asked for: a connection that stood and whose ICE has failed reports `connecting`
 * and `checking`, because an ICE restart can bring it back and simple-peer would end it. For how long,
 * somebody else decides.
 *
 * A late close: in Node the native connection crashes the process at its end when it is closed in
 * the moments in which it connects (measured: up to half of all runs). So a close that comes while
 * connecting waits until the connection stands, has failed, or a second is over.
 *
 * A second look: on a busy machine Node's connection may still give the old state to the listener of
 * the event that tells of the new one, and no other event follows. So a state that differs from what
 * the last event showed is told again.
 *
 * It wraps by a Proxy, not by a subclass: in Node the states are own, unchangeable properties of
 * each connection, which a subclass cannot hide.
 */

const RETRY_INTERVAL_MS = 4000;
const SECOND_LOOK_MS = 250;
/** Of a description with more candidates, the first ones are tried again. */
const MAX_RETRIED_CANDIDATES = 32;
/** Its data channels open within moments after the connection: 5 ms do, on a busy machine more. */
const SETTLE_MS = 200;
const MAX_CLOSE_DELAY_MS = 1000;

type PeerConnectionClass = typeof RTCPeerConnection;

/** The longest time that timers can hold; waiting longer is waiting for ever. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface PatienceOptions {
  /** From the construction of a connection until it may report its failure. */
  readonly timeoutMs: number;
  /** Whether a failure of ICE is hidden once the connection stood. */
  readonly hidesLaterFailures: boolean;
}

/**
 * A class of patient connections.
 * @param Base the browser's RTCPeerConnection or the one of a WebRTC package for Node
 */
export function patientPeerConnection(
  Base: PeerConnectionClass,
  options: PatienceOptions,
): PeerConnectionClass {
  return new Proxy(Base, {
    construct(_target, [configuration]: [RTCConfiguration?]) {
      return new Patience(new Base(configuration), options).connection;
    },
  });
}

class Patience {
  /** What the outside sees. */
  readonly connection: RTCPeerConnection;
  readonly #native: RTCPeerConnection;
  readonly #deadline: ReturnType<typeof setTimeout>;
  #hiding = true;
  #retries: ReturnType<typeof setInterval> | undefined;
  #retryCount = 0;
  #remoteCandidates: string[] = [];
  #secondLook: ReturnType<typeof setTimeout> | undefined;
  #seenStates = '';
  #hasRemote = false;
  #connectedAt = 0;
  #closing = false;
  readonly #hidesLaterFailures: boolean;

  constructor(native: RTCPeerConnection, { timeoutMs, hidesLaterFailures }: PatienceOptions) {
    this.#native = native;
    this.#hidesLaterFailures = hidesLaterFailures;
    this.connection = new Proxy(native, {
      get: (_target, property) => this.#get(property),
      set: (_target, property, value) => Reflect.set(native, property, value, native),
    });
    native.addEventListener('connectionstatechange', () => this.#look());
    native.addEventListener('iceconnectionstatechange', () => this.#look());
    this.#deadline = setTimeout(() => this.#giveUp(), Math.min(timeoutMs, MAX_TIMER_MS));
    unref(this.#deadline);
  }

  #get(property: string | symbol): unknown {
    switch (property) {
      case 'connectionState':
        return this.#hides(this.#native.connectionState)
          ? 'connecting'
          : this.#native.connectionState;
      case 'iceConnectionState':
        return this.#hides(this.#native.iceConnectionState)
          ? 'checking'
          : this.#native.iceConnectionState;
      case 'setRemoteDescription':
        return (description: RTCSessionDescriptionInit) => this.#setRemoteDescription(description);
      case 'addIceCandidate':
        return (candidate: RTCIceCandidateInit) => this.#addIceCandidate(candidate);
      case 'close':
        return () => this.#close();
      default: {
        // Native objects accept no Proxy as `this`.
        const value: unknown = Reflect.get(this.#native, property, this.#native);
        return typeof value === 'function' ? value.bind(this.#native) : value;
      }
    }
  }

  #look(): void {
    this.#seenStates = this.#states();
    this.#lookAgainSoon();
    const { connectionState, iceConnectionState } = this.#native;
    if (connectionState !== 'connected') return;
    if (this.#connectedAt === 0) this.#connectedAt = performance.now();
    // The two states do not change at once: one may still say `failed` from before.
    if (iceConnectionState === 'connected' || iceConnectionState === 'completed') {
      this.#stopHiding();
    }
  }

  #lookAgainSoon(): void {
    clearTimeout(this.#secondLook);
    if (this.#closing) return;
    this.#secondLook = setTimeout(() => {
      if (this.#states() !== this.#seenStates) this.#tellStates();
    }, SECOND_LOOK_MS);
    unref(this.#secondLook);
  }

  #states(): string {
    return `${this.#native.connectionState} ${this.#native.iceConnectionState}`;
  }

  #tellStates(): void {
    this.#native.dispatchEvent(new Event('iceconnectionstatechange'));
    this.#native.dispatchEvent(new Event('connectionstatechange'));
  }

  #hides(state: string): boolean {
    if (this.#hiding) return state === 'failed' || state === 'disconnected';
    // With ICE in order it was the encryption that failed, for good.
    const iceFailed = this.#native.iceConnectionState === 'failed';
    return state === 'failed' && iceFailed && this.#hidesLaterFailures && this.#connectedAt > 0;
  }

  #stopHiding(): void {
    this.#hiding = false;
    clearTimeout(this.#deadline);
    clearInterval(this.#retries);
  }

  /** What was hidden is the truth now: whoever listens looks again. */
  #giveUp(): void {
    this.#stopHiding();
    this.#tellStates();
  }

  async #setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.#hasRemote = true;
    const lines = (description.sdp ?? '').split(/\r?\n/);
    this.#remoteCandidates = lines
      .filter((line) => line.startsWith('a=candidate:'))
      .slice(0, MAX_RETRIED_CANDIDATES);
    await this.#native.setRemoteDescription(description);
    if (!this.#hiding || this.#closing || this.#retries !== undefined) return;
    this.#retries = setInterval(() => void this.#addCandidatesAgain(), RETRY_INTERVAL_MS);
    unref(this.#retries);
  }

  #addIceCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    if (candidate.candidate && this.#remoteCandidates.length < MAX_RETRIED_CANDIDATES) {
      this.#remoteCandidates.push(candidate.candidate);
    }
    return this.#native.addIceCandidate(candidate);
  }

  async #addCandidatesAgain(): Promise<void> {
    this.#retryCount += 1;
    for (const line of this.#remoteCandidates) {
      const fields = line.split(' ');
      const priority = Number(fields[3]) - this.#retryCount;
      if (!(priority > 0)) continue;
      fields[0] = `candidate:9${this.#retryCount}`;
      fields[3] = String(priority);
      try {
        await this.#native.addIceCandidate({ candidate: fields.join(' '), sdpMLineIndex: 0 });
      } catch {
        // One that this system cannot use (an unknown name, a family it has no address of) is
        // refused every time; the others count.
      }
    }
  }

  #close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#stopHiding();
    clearTimeout(this.#secondLook);
    if (!this.#hasRemote) {
      this.#native.close();
      return;
    }
    let timer = setTimeout(() => this.#native.close(), MAX_CLOSE_DELAY_MS);
    const closeWhenSettled = (): void => {
      const { connectionState } = this.#native;
      if (connectionState === 'new' || connectionState === 'connecting') return;
      clearTimeout(timer);
      const wait = this.#connectedAt + SETTLE_MS - performance.now();
      if (connectionState !== 'connected' || wait <= 0) this.#native.close();
      else timer = setTimeout(() => this.#native.close(), wait);
    };
    this.#native.addEventListener('connectionstatechange', closeWhenSettled);
    closeWhenSettled();
  }
}

/** Node's timers keep a process alive unless told otherwise; a browser's are numbers. */
function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
