import type { RoomState } from 'emberlink/react';
import { type ReactElement, useState } from 'react';

interface ShareProps {
  readonly state: RoomState['state'];
  /** How many others have the list open. */
  readonly others: number;
}

export function Share({ state, others }: ShareProps): ReactElement {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(location.href);
      setIsCopied(true);
      setTimeout(() => setIsCopied(false), 2000);
    } catch {
      // Browsers may keep the clipboard from us: then people copy it themselves.
      window.prompt('The link of this list:', location.href);
    }
  };
  return (
    <div className="share">
      <span className={`here ${others > 0 ? 'together' : ''}`} role="status">
        {others > 0 ? `${others + 1} here` : aloneText(state)}
      </span>
      <button type="button" onClick={() => void copy()}>
        {isCopied ? 'Link copied' : 'Share'}
      </button>
    </div>
  );
}

function aloneText(state: RoomState['state']): string {
  switch (state) {
    case 'alone':
    case 'live':
      return 'Only you';
    case 'waiting':
    case 'joining':
    case 'connecting':
    case 'syncing':
      return 'Connecting …';
    case 'offline':
    case 'left':
    case 'failed':
      return 'Offline: kept on this device';
  }
}
