import { isNode } from '../is-node.ts';

/** What the tabs of one origin share. Tests bring their own. */
export interface TabEnvironment {
  readonly locks: Pick<LockManager, 'request'>;
  openChannel(name: string, hear: (message: unknown) => void): TabChannel;
  /** Calls the listener when the browser freezes this tab, and when it lets it go on; returns its end. */
  watchFreezing(listener: (frozen: boolean) => void): () => void;
  /** Whoever has asked for this long, in milliseconds, is asked once more; see `Line`. */
  readonly askAgainMs: number;
}

/** Every other tab with a channel of this name hears what is posted. */
export interface TabChannel {
  post(message: unknown): void;
  close(): void;
}

const ASK_AGAIN_MS = 1000;

/** Undefined where there is nothing to share: in Node, and in pages that are not secure. */
export function tabEnvironment(): TabEnvironment | undefined {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (isNode() || locks === undefined || typeof BroadcastChannel === 'undefined') return undefined;
  return { locks, openChannel, watchFreezing, askAgainMs: ASK_AGAIN_MS };
}

function openChannel(name: string, hear: (message: unknown) => void): TabChannel {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => hear(data);
  return {
    post: (message) => channel.postMessage(message),
    close: () => channel.close(),
  };
}

/** Only Chromium tells of it, and only to pages; others let nothing happen in a tab that is frozen. */
function watchFreezing(listener: (frozen: boolean) => void): () => void {
  const page = globalThis.document as Document | undefined;
  const freeze = (): void => listener(true);
  const resume = (): void => listener(false);
  page?.addEventListener('freeze', freeze);
  page?.addEventListener('resume', resume);
  return () => {
    page?.removeEventListener('freeze', freeze);
    page?.removeEventListener('resume', resume);
  };
}
