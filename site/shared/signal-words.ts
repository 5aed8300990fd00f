import type { ConnectionErrorCode, SignalErrorCode } from 'emberlink';

/** What is wrong with a text that should have introduced two browsers, and what to do next. */
export function signalWords(code: SignalErrorCode): string {
  switch (code) {
    case 'not-a-signal':
      return 'There is no offer and no answer in this text. Copy the whole text or link that you were sent, and paste it again.';
    case 'truncated':
      return 'A part of this text is missing or was changed on the way. Copy it again, from end to end, or ask for the link.';
    case 'case-changed':
      return 'Capital and small letters were changed on the way, so nobody can read it. Send it in another way, or scan the code.';
    case 'several-signals':
      return 'This text has several of them in it, and only one can be meant. Paste the newest alone.';
    case 'expected-offer':
      return 'This is an answer, but the offer that it belongs to is not waiting here: it was cancelled, it expired, or the page was loaded anew. Make a new offer.';
    case 'expected-answer':
      return 'This is an offer of theirs, not the answer to yours. If you both made one, cancel yours and paste theirs again.';
    case 'own-offer':
      return 'This is your own offer. Send it to the other person; what comes back from there belongs here.';
    case 'other-offer':
      return 'This is the answer to another offer, perhaps to an older one of yours. Send the offer that is shown here, and bring back its answer.';
    case 'already-used':
      return 'This one was used before, and each serves once. Ask the other person for a new one.';
    case 'wrong-state':
      return 'This offer is over. Make a new one.';
  }
}

/** Why two browsers are not connected, and what to do next. */
export function connectionWords(code: ConnectionErrorCode): string {
  switch (code) {
    case 'no-webrtc':
    case 'no-websocket':
      return 'This browser cannot connect to others (it has no WebRTC, or it is switched off). Try another browser.';
    case 'not-loaded':
      return 'A part of this page could not be loaded. See that you are online and try again; if that does not help, load the page anew. What you have is kept.';
    case 'connect-timeout':
      return 'Nobody came within ten minutes, so this has expired. Make a new offer.';
    case 'connect-failed':
      return 'The two browsers found no way to each other; some networks allow none. Try the same Wi-Fi for both, or a phone’s hotspot.';
    case 'peer-gone':
      return 'The other side has left, or its network has. What you have is kept; pair again to go on.';
    case 'closed':
      return 'This connection was closed.';
  }
}
