/** What a Sync is made of, in one file to be loaded by the first that is used. */
export { Session } from './protocol/session.ts';
export { PastedSignals } from './transports/pasted-signals.ts';
export { WebRtcLink } from './transports/webrtc.ts';
