/**
 * Carries out a Negotiation on an RTCPeerConnection: tells what this side has to tell as it comes,
 * does what the other side's signals ask for, one after the other, and looks for a new way by
 * itself when the connection is disturbed.
 *
 * simple-peer makes the first offer. Everything after it goes past simple-peer, which ends the
 * connection over each description or candidate that it cannot use, and makes no further offer while
 * one is unanswered: here signals may be lost, and a link that stands must outlive a bad one.
 */
import { ConnectionError, SignalError } from '../errors.ts';
import { Negotiation, type NegotiationStep, type TrickleSignal, ufragOf } from './negotiation.ts';

/** How often a disturbed connection tries a new way; the signals of the last try may have been lost. */
const RESTART_INTERVAL_MS = 5000;
/** Both sides notice a disturbance at about the same time: one offer serves both. */
const RESTART_PAUSE_MS = 2000;
/** From a disturbance that ICE has noticed, which takes it 5 s, until the connection is given up. */
const MAX_DISTURBANCE_MS = 25_000;
/** Steps that wait for the one before; more is more than the other side can have meant. */
const MAX_WAITING_STEPS = 256;

export interface TrickleOptions {
  readonly initiator: boolean;
  /** Sends a signal to the other side's `hear`. */
  tell(signal: { readonly number: number; readonly text: string }): void;
}

export interface TrickleHandlers {
  /** A description was of no use: a first connect cannot come about. */
  unusable(error: Error): void;
  /** A connection that stood was disturbed for too long. */
  lost(error: ConnectionError): void;
}

export class Trickle {
  readonly #options: TrickleOptions;
  readonly #negotiation: Negotiation;
  #pc: RTCPeerConnection | undefined;
  #begin!: () => void;
  #handlers: TrickleHandlers | undefined;
  /** The end of the queue of steps, which begins when there is a connection to take them on. */
  #last: Promise<void>;
  #waitingSteps = 0;
  #ended = false;
  /** The ICE username that the other side knows. */
  #toldUfrag = '';
  /** Candidates that were found before their description was told. */
  #untold: RTCIceCandidate[] = [];
  #hasConnected = false;
  #restartTimer: ReturnType<typeof setInterval> | undefined;
  #lostTimer: ReturnType<typeof setTimeout> | undefined;
  #lastRestart = Number.NEGATIVE_INFINITY;

  constructor(options: TrickleOptions) {
    this.#options = options;
    this.#negotiation = new Negotiation(options.initiator);
    this.#last = new Promise((resolve) => {
      this.#begin = resolve;
    });
  }

  begin(pc: RTCPeerConnection, handlers: TrickleHandlers): void {
    this.#pc = pc;
    this.#handlers = handlers;
    pc.addEventListener('icecandidate', ({ candidate }) => this.#found(candidate));
    pc.addEventListener('iceconnectionstatechange', () => this.#look(pc.iceConnectionState));
    this.#begin();
  }

  /** simple-peer has made the first offer, in which there may be candidates: they are told apart. */
  offered(sdp: string): void {
    this.#tellDescription({ type: 'offer', sdp: sdp.replace(/^a=candidate:.*\r?\n/gm, '') });
  }

  /** @throws SignalError `not-a-signal`, `wrong-state`; then nothing is changed */
  hear(signal: { readonly number: number; readonly text: string }): void {
    if (this.#ended) throw new SignalError('wrong-state', 'the link has ended');
    if (this.#waitingSteps >= MAX_WAITING_STEPS) {
      throw new SignalError('wrong-state', 'too many signals at once');
    }
    for (const step of this.#negotiation.hear(signal)) this.#take(step);
  }

  /** Looks for a new way; the connection goes on meanwhile. Before the first offer there is none. */
  restart(): void {
    if (this.#ended || this.#pc === undefined) return;
    this.#lastRestart = performance.now();
    if (!this.#options.initiator) this.#tell({ type: 'restart' });
    else if (this.#negotiation.offer !== undefined) this.#queue((pc) => this.#offer(pc));
  }

  /** Nothing more is told or done. */
  end(): void {
    this.#ended = true;
    this.#stopTimers();
    this.#untold = [];
  }

  // --- steps ---

  #take(step: NegotiationStep): void {
    switch (step.do) {
      case 'answer':
        this.#queue((pc) => this.#answer(pc, step.sdp, step.to));
        return;
      case 'accept':
        this.#queue(async (pc) => {
          if (step.to !== this.#negotiation.offer) return;
          await pc.setRemoteDescription({ type: 'answer', sdp: step.sdp });
        });
        return;
      case 'add':
        this.#queue((pc) => addCandidate(pc, step.candidate));
        return;
      case 'restart':
        this.#restartUnlessJustDone();
        return;
    }
  }

  #queue(step: (pc: RTCPeerConnection) => Promise<void>): void {
    this.#waitingSteps += 1;
    this.#last = this.#last
      .then(() => {
        if (this.#ended || this.#pc === undefined) return undefined;
        return step(this.#pc);
      })
      .catch((cause: unknown) => {
        this.#handlers?.unusable(cause instanceof Error ? cause : new Error(String(cause)));
      })
      .finally(() => {
        this.#waitingSteps -= 1;
      });
  }

  async #offer(pc: RTCPeerConnection): Promise<void> {
    const { type, sdp = '' } = await pc.createOffer({ iceRestart: true });
    await pc.setLocalDescription({ type, sdp });
    this.#tellDescription({ type: 'offer', sdp });
  }

  async #answer(pc: RTCPeerConnection, offer: string, to: number): Promise<void> {
    await pc.setRemoteDescription({ type: 'offer', sdp: offer });
    const { type, sdp: answer = '' } = await pc.createAnswer();
    const sdp = leaveHandshakeToOffer(answer);
    await pc.setLocalDescription({ type, sdp });
    this.#tellDescription({ type: 'answer', sdp, to });
  }

  // --- telling ---

  #tellDescription(signal: Extract<TrickleSignal, { sdp: string }>): void {
    this.#tell(signal);
    this.#toldUfrag = ufragOf(signal.sdp);
    const untold = this.#untold;
    this.#untold = [];
    for (const candidate of untold) this.#found(candidate);
  }

  #found(found: RTCIceCandidate | null): void {
    // The last event has none, or an empty one: nobody waits for it, a failure is told by a timeout.
    if (found === null || this.#ended || !found.candidate) return;
    const { candidate } = found;
    const ufrag = found.usernameFragment ?? / ufrag (\S+)/.exec(candidate)?.[1] ?? this.#toldUfrag;
    if (ufrag === this.#toldUfrag) this.#tell({ type: 'candidate', candidate, ufrag });
    else this.#untold.push(found);
  }

  #tell(signal: TrickleSignal): void {
    if (!this.#ended) this.#options.tell(this.#negotiation.say(signal));
  }

  // --- disturbances ---

  #look(state: RTCIceConnectionState): void {
    if (this.#ended) return;
    switch (state) {
      case 'connected':
      case 'completed':
        this.#hasConnected = true;
        this.#stopTimers();
        return;
      case 'disconnected':
      case 'failed':
        this.#disturbed();
        if (this.#hasConnected) this.#restartUnlessJustDone();
        return;
      case 'new':
      case 'checking':
        this.#disturbed();
        return;
      case 'closed':
        this.#stopTimers();
        return;
    }
  }

  #disturbed(): void {
    if (!this.#hasConnected || this.#lostTimer !== undefined) return;
    this.#restartTimer = setInterval(() => {
      // Should the event of a recovery be missed, the state itself tells of it.
      if (this.#pc !== undefined) this.#look(this.#pc.iceConnectionState);
      if (this.#lostTimer !== undefined) this.#restartUnlessJustDone();
    }, RESTART_INTERVAL_MS);
    this.#lostTimer = setTimeout(() => {
      const seconds = MAX_DISTURBANCE_MS / 1000;
      const message = `the peer is gone: no way to it was found within ${seconds} s`;
      this.#handlers?.lost(new ConnectionError('peer-gone', message));
    }, MAX_DISTURBANCE_MS);
  }

  #stopTimers(): void {
    clearInterval(this.#restartTimer);
    clearTimeout(this.#lostTimer);
    this.#lostTimer = undefined;
  }

  #restartUnlessJustDone(): void {
    if (performance.now() - this.#lastRestart >= RESTART_PAUSE_MS) this.restart();
  }
}

/**
 * The offering side then begins the DTLS handshake. Else whoever accepted the offer begins one, and
 * of two who did, the one who is not answered gets in the other's way.
 */
export function leaveHandshakeToOffer(answer: string): string {
  return answer.replace('a=setup:active', 'a=setup:passive');
}

async function addCandidate(pc: RTCPeerConnection, candidate: string): Promise<void> {
  try {
    // A description of ours has one section, so all candidates are of the first.
    await pc.addIceCandidate({ candidate, sdpMLineIndex: 0 });
  } catch {
    // One that this system cannot use (an unknown name, a family it has no address of): the others count.
  }
}
